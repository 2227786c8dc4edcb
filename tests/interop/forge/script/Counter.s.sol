// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Counter} from "../src/Counter.sol";

interface Vm {
    function startBroadcast(uint256 key) external;
    function stopBroadcast() external;
    function envUint(string calldata name) external view returns (uint256);
}

/// Deploys a counter and raises it twice, in three transactions of the key in `DEVNET_KEY`.
contract Raise {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    // Foundry looks for this name.
    bool public constant IS_SCRIPT = true;

    function run() external returns (address at) {
        VM.startBroadcast(VM.envUint("DEVNET_KEY"));
        Counter counter = new Counter(40);
        counter.raise();
        counter.raise();
        VM.stopBroadcast();
        return address(counter);
    }
}
