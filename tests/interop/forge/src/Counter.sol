// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// A count, and the account that raised it last.
contract Counter {
    uint256 public number;
    address public last;

    event Raised(address indexed by, uint256 number);

    constructor(uint256 start) {
        number = start;
    }

    function raise() external {
        number += 1;
        last = msg.sender;
        emit Raised(msg.sender, number);
    }
}
