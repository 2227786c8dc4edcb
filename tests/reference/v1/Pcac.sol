// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPcac} from "./IPcac.sol";

/// The same contract in Solidity: what one would deploy instead. It is the tests' second opinion, and a measure.
/// It differs in one thing: it does not refuse text that is not UTF-8.
contract Pcac is IPcac {
    struct Image {
        address patient;
        uint32 window;
        uint24 limit;
        uint40 registeredAt;
        uint24 used;
        uint40 start;
    }

    struct Standing {
        uint8 status;
        uint40 expiresAt;
        uint40 decidedAt;
        uint40 requestedAt;
        bytes16 key;
    }

    struct Grant {
        Standing standing;
        bytes32 shared;
    }

    uint8 private constant REQUESTED = 1;
    uint8 private constant APPROVED = 2;
    uint8 private constant DENIED = 3;
    uint8 private constant REMOVED = 4;

    uint256 private constant MAX_TEXT = 256;
    uint256 private constant MAX_SIGNATURE = 2048;
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    bytes4 private constant ERC1271 = 0x1626ba7e;

    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ATTESTATION = keccak256("ImageAttestation(bytes32 image,address patient,bytes32 seal)");
    bytes32 private constant CREATE = keccak256(
        "create_contract(bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description,address signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant REQUEST = keccak256(
        "requesting_access(address patient,bytes32 image,bytes32 publicKey,string notes,address signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant APPROVE = keccak256(
        "approve_IRs(address requester,bytes32 image,bytes32 publicKey,bytes32 sharedImage,uint64 expiresAt,string notes,address signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant DENY =
        keccak256("deny_IRs(address requester,bytes32 image,string reason,address signer,uint64 nonce,uint64 deadline)");
    bytes32 private constant TRACE = keccak256(
        "trace_authorization(address patient,address requester,bytes32 image,address signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant REMOVE =
        keccak256("remove_IRs(address requester,bytes32 image,address signer,uint64 nonce,uint64 deadline)");
    bytes32 private constant RESHARE = keccak256(
        "reshare_IRs(address requester,bytes32 image,bytes32 sharedImage,uint64 expiresAt,address signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant RESEAL = keccak256("reseal_image(bytes32 image,bytes32 root,address signer,uint64 nonce,uint64 deadline)");
    bytes32 private constant LIMIT = keccak256(
        "set_approval_limit(bytes32 image,uint32 approvals,uint32 windowSeconds,address signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant ACCREDIT =
        keccak256("accredit_radiologist(address radiologist,bool accredited,address signer,uint64 nonce,uint64 deadline)");
    bytes32 private constant TRANSFER = keccak256("transfer_consortium(address to,address signer,uint64 nonce,uint64 deadline)");

    address public consortium;
    mapping(address => bool) public is_accredited;
    mapping(address => uint64) public nonces;
    mapping(bytes32 => Image) private images;
    mapping(bytes32 => mapping(address => Grant)) private grants;
    /// who signed the call that is being relayed; zero outside of a relay
    address private transient relayed;

    constructor(address first) {
        if (first == address(0)) revert PcacZero(0);
        consortium = first;
        emit ConsortiumTransferred(address(0), first);
    }

    // ---- Algorithms 1 to 5 ----

    function create_contract(
        bytes32 image,
        address patient,
        bytes32 seal,
        address radiologist,
        bytes calldata attestation,
        string calldata description
    ) external returns (bool) {
        if (image == 0) revert PcacZero(0);
        if (patient == address(0)) revert PcacZero(1);
        if (seal == 0) revert PcacZero(2);
        if (radiologist == address(0)) revert PcacZero(3);
        _short(description);
        _onlyPatient(patient);
        address owner = images[image].patient;
        if (owner != address(0)) revert PcacImageTaken(image, owner);
        if (!is_accredited[radiologist]) revert PcacNotAccredited(radiologist);
        if (!_signed(radiologist, keccak256(abi.encode(ATTESTATION, image, patient, seal)), attestation)) {
            revert PcacBadAttestation(radiologist);
        }
        Image storage record = images[image];
        record.patient = patient;
        record.registeredAt = uint40(block.timestamp);
        emit ContractCreated(patient, image, radiologist, seal, description);
        return true;
    }

    function requesting_access(address patient, bytes32 image, bytes32 publicKey, string calldata notes)
        external
        returns (bool)
    {
        if (patient == address(0)) revert PcacZero(0);
        if (image == 0) revert PcacZero(1);
        if (publicKey == 0) revert PcacZero(2);
        _short(notes);
        address owner = _known(image).patient;
        address requester = _sender();
        if (requester == owner) revert PcacOwnImage();
        if (patient != owner) revert PcacWrongOwner(image, patient, owner);
        Grant storage g = grants[image][requester];
        Standing memory before = g.standing;
        if (_inForce(before)) return true;
        if (before.status == APPROVED) g.shared = 0;
        uint40 requestedAt = before.status == REQUESTED ? before.requestedAt : uint40(block.timestamp);
        g.standing = Standing(REQUESTED, 0, 0, requestedAt, bytes16(publicKey));
        emit RequestedForApproval(requester, patient, image, publicKey, notes);
        return false;
    }

    function approve_IRs(
        address requester,
        bytes32 image,
        bytes32 publicKey,
        bytes32 sharedImage,
        uint64 expiresAt,
        string calldata notes
    ) external returns (bool) {
        if (requester == address(0)) revert PcacZero(0);
        if (image == 0) revert PcacZero(1);
        if (publicKey == 0) revert PcacZero(2);
        if (sharedImage == 0) revert PcacZero(3);
        _short(notes);
        Image storage record = _owned(image);
        _future(expiresAt);
        Grant storage g = grants[image][requester];
        Standing memory before = g.standing;
        if (_inForce(before)) return false;
        if (before.status != REQUESTED) revert PcacNoRequest(requester, image);
        if (before.key != bytes16(publicKey)) revert PcacKeyChanged(publicKey, before.key);
        _count(record);
        g.standing = Standing(APPROVED, uint40(expiresAt), uint40(block.timestamp), before.requestedAt, before.key);
        g.shared = sharedImage;
        emit Requestaccepted(_sender(), image, "approved by patient.");
        emit Approved(
            requester,
            image,
            publicKey,
            sharedImage,
            expiresAt,
            bytes(notes).length == 0 ? "Authorized to access image" : notes
        );
        return true;
    }

    function deny_IRs(address requester, bytes32 image, string calldata reason) external returns (bool) {
        if (requester == address(0)) revert PcacZero(0);
        if (image == 0) revert PcacZero(1);
        _short(reason);
        address patient = _owned(image).patient;
        Grant storage g = grants[image][requester];
        Standing memory before = g.standing;
        if (before.status != REQUESTED) return false;
        g.standing = Standing(DENIED, before.expiresAt, uint40(block.timestamp), before.requestedAt, before.key);
        emit Requestdenied(patient, image, "Failed to be approved by patient");
        emit Reason(requester, image, reason);
        return true;
    }

    function trace_authorization(address patient, address requester, bytes32 image) external returns (bool) {
        if (patient == address(0)) revert PcacZero(0);
        if (requester == address(0)) revert PcacZero(1);
        if (image == 0) revert PcacZero(2);
        address owner = _known(image).patient;
        address caller = _sender();
        if (caller != requester && caller != owner) revert PcacNotRequesterOrPatient(caller);
        if (patient != owner) revert PcacWrongOwner(image, patient, owner);
        if (requester == owner || _inForce(grants[image][requester].standing)) {
            emit AuthorizationSuccess(requester, image, "Authorized to access image", patient);
            return true;
        }
        emit AuthorizationFailed(requester, image, "Image is not authorized to access", patient);
        return false;
    }

    function remove_IRs(address requester, bytes32 image) external returns (bool) {
        if (requester == address(0)) revert PcacZero(0);
        if (image == 0) revert PcacZero(1);
        address patient = _owned(image).patient;
        Grant storage g = grants[image][requester];
        Standing memory before = g.standing;
        if (before.status == APPROVED) g.shared = 0;
        else if (before.status != REQUESTED) return false;
        g.standing = Standing(REMOVED, before.expiresAt, uint40(block.timestamp), before.requestedAt, before.key);
        emit UserRemoved(requester, patient, image, "removed");
        emit Reason(requester, image, "Contract expired");
        return true;
    }

    // ---- the patient's upkeep ----

    function reshare_IRs(address requester, bytes32 image, bytes32 sharedImage, uint64 expiresAt)
        external
        returns (bool)
    {
        if (requester == address(0)) revert PcacZero(0);
        if (image == 0) revert PcacZero(1);
        if (sharedImage == 0) revert PcacZero(2);
        _owned(image);
        _future(expiresAt);
        Grant storage g = grants[image][requester];
        if (!_inForce(g.standing)) revert PcacNotApproved(requester, image);
        g.standing.expiresAt = uint40(expiresAt);
        g.shared = sharedImage;
        emit Reshared(requester, image, sharedImage, expiresAt);
        return true;
    }

    function reseal_image(bytes32 image, bytes32 root) external {
        if (image == 0) revert PcacZero(0);
        if (root == 0) revert PcacZero(1);
        _owned(image);
        emit ImageResealed(image, root);
    }

    function set_approval_limit(bytes32 image, uint32 approvals, uint32 windowSeconds) external {
        if (image == 0) revert PcacZero(0);
        Image storage record = _owned(image);
        if (approvals >= 1 << 24 || (approvals > 0 && windowSeconds == 0)) {
            revert PcacBadLimit(approvals, windowSeconds);
        }
        record.limit = uint24(approvals);
        record.window = windowSeconds;
        record.used = 0;
        record.start = 0;
        emit ApprovalLimitSet(image, approvals, windowSeconds);
    }

    // ---- the consortium ----

    function accredit_radiologist(address radiologist, bool accredited) external {
        if (radiologist == address(0)) revert PcacZero(0);
        _onlyConsortium();
        is_accredited[radiologist] = accredited;
        emit RadiologistAccredited(radiologist, accredited);
    }

    function transfer_consortium(address to) external {
        if (to == address(0)) revert PcacZero(0);
        _onlyConsortium();
        emit ConsortiumTransferred(consortium, to);
        consortium = to;
    }

    // ---- for others, and many at once ----

    function relay(address signer, uint64 nonce, uint64 deadline, bytes calldata call, bytes calldata signature)
        external
        returns (bytes memory)
    {
        if (signer == address(0)) revert PcacZero(0);
        bytes32 message = _message(call, abi.encode(signer, nonce, deadline));
        if (block.timestamp > deadline) revert PcacExpired(deadline, uint64(block.timestamp));
        uint64 next = nonces[signer];
        if (nonce != next) revert PcacBadNonce(signer, nonce, next);
        if (!_signed(signer, message, signature)) revert PcacBadSignature(signer);
        nonces[signer] = next + 1;
        relayed = signer;
        bytes memory answer = _self(call);
        relayed = address(0);
        return answer;
    }

    function multicall(bytes[] calldata calls) external returns (bytes[] memory answers) {
        answers = new bytes[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes calldata call = calls[i];
            if (call.length < 4) _silent();
            bytes4 selector = bytes4(call);
            if (selector == this.relay.selector || selector == this.multicall.selector) revert PcacNested(selector);
            answers[i] = _self(call);
        }
    }

    // ---- views ----

    function is_authorized(address patient, address requester, bytes32 image) external view returns (bool) {
        address owner = images[image].patient;
        if (owner == address(0) || owner != patient) return false;
        return requester == owner || _inForce(grants[image][requester].standing);
    }

    function image_record(bytes32 image) external view returns (address, uint64, uint32, uint32) {
        Image storage record = images[image];
        return (record.patient, record.registeredAt, record.limit, record.window);
    }

    function grant(bytes32 image, address requester)
        external
        view
        returns (uint8, uint64, uint64, uint64, bytes16, bytes32)
    {
        Grant storage g = grants[image][requester];
        Standing memory s = g.standing;
        return (s.status, s.requestedAt, s.decidedAt, s.expiresAt, s.key, g.shared);
    }

    function version() external pure returns (string memory) {
        return "1";
    }

    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (0x0f, "Pcac", "1", block.chainid, address(this), 0, new uint256[](0));
    }

    // ---- what they share ----

    function _sender() private view returns (address) {
        address signer = relayed;
        return signer == address(0) ? msg.sender : signer;
    }

    function _short(string calldata text) private pure {
        if (bytes(text).length > MAX_TEXT) revert PcacTextTooLong(bytes(text).length, MAX_TEXT);
    }

    function _onlyPatient(address patient) private view {
        address caller = _sender();
        if (caller != patient) revert PcacNotPatient(caller, patient);
    }

    function _onlyConsortium() private view {
        address caller = _sender();
        if (caller != consortium) revert PcacNotConsortium(caller);
    }

    function _known(bytes32 image) private view returns (Image storage record) {
        record = images[image];
        if (record.patient == address(0)) revert PcacUnknownImage(image);
    }

    function _owned(bytes32 image) private view returns (Image storage record) {
        record = _known(image);
        _onlyPatient(record.patient);
    }

    function _future(uint64 expiresAt) private view {
        if (expiresAt != 0 && (expiresAt <= block.timestamp || expiresAt >= 1 << 40)) {
            revert PcacBadExpiry(expiresAt, uint64(block.timestamp));
        }
    }

    function _inForce(Standing memory g) private view returns (bool) {
        return g.status == APPROVED && (g.expiresAt == 0 || block.timestamp < g.expiresAt);
    }

    function _count(Image storage record) private {
        uint24 limit = record.limit;
        if (limit == 0) return;
        uint24 used = record.used;
        uint256 end = uint256(record.start) + record.window;
        if (used == 0 || block.timestamp >= end) {
            record.start = uint40(block.timestamp);
            record.used = 1;
            return;
        }
        if (used >= limit) revert PcacApprovalLimitReached(limit, uint64(end));
        record.used = used + 1;
    }

    function _signed(address signer, bytes32 message, bytes calldata signature) private view returns (bool) {
        if (signature.length > MAX_SIGNATURE) return false;
        bytes32 domain = keccak256(abi.encode(DOMAIN, keccak256("Pcac"), keccak256("1"), block.chainid, address(this)));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, message));
        if (signature.length == 65) {
            uint8 v = uint8(signature[64]);
            if ((v == 27 || v == 28) && uint256(bytes32(signature[32:64])) <= HALF_ORDER) {
                if (ecrecover(digest, v, bytes32(signature[:32]), bytes32(signature[32:64])) == signer) return true;
            }
        }
        (bool done, bytes memory answer) = signer.staticcall(abi.encodeWithSelector(ERC1271, digest, signature));
        return done && answer.length >= 32 && bytes32(answer) == bytes32(ERC1271);
    }

    function _message(bytes calldata call, bytes memory signed) private view returns (bytes32) {
        if (call.length < 4) _silent();
        bytes4 f = bytes4(call);
        bytes calldata args = call[4:];
        if (f == this.approve_IRs.selector) {
            (address a, bytes32 b, bytes32 c, bytes32 d, uint64 e, string memory t) =
                abi.decode(args, (address, bytes32, bytes32, bytes32, uint64, string));
            return keccak256(bytes.concat(abi.encode(APPROVE, a, b, c, d, e, keccak256(bytes(t))), signed));
        }
        if (f == this.requesting_access.selector) {
            (address a, bytes32 b, bytes32 c, string memory t) = abi.decode(args, (address, bytes32, bytes32, string));
            return keccak256(bytes.concat(abi.encode(REQUEST, a, b, c, keccak256(bytes(t))), signed));
        }
        if (f == this.create_contract.selector) {
            (bytes32 a, address b, bytes32 c, address d, bytes memory s, string memory t) =
                abi.decode(args, (bytes32, address, bytes32, address, bytes, string));
            return keccak256(bytes.concat(abi.encode(CREATE, a, b, c, d, keccak256(s), keccak256(bytes(t))), signed));
        }
        if (f == this.deny_IRs.selector) {
            (address a, bytes32 b, string memory t) = abi.decode(args, (address, bytes32, string));
            return keccak256(bytes.concat(abi.encode(DENY, a, b, keccak256(bytes(t))), signed));
        }
        if (f == this.trace_authorization.selector) {
            (address a, address b, bytes32 c) = abi.decode(args, (address, address, bytes32));
            return keccak256(bytes.concat(abi.encode(TRACE, a, b, c), signed));
        }
        if (f == this.remove_IRs.selector) {
            (address a, bytes32 b) = abi.decode(args, (address, bytes32));
            return keccak256(bytes.concat(abi.encode(REMOVE, a, b), signed));
        }
        if (f == this.reshare_IRs.selector) {
            (address a, bytes32 b, bytes32 c, uint64 d) = abi.decode(args, (address, bytes32, bytes32, uint64));
            return keccak256(bytes.concat(abi.encode(RESHARE, a, b, c, d), signed));
        }
        if (f == this.reseal_image.selector) {
            (bytes32 a, bytes32 b) = abi.decode(args, (bytes32, bytes32));
            return keccak256(bytes.concat(abi.encode(RESEAL, a, b), signed));
        }
        if (f == this.set_approval_limit.selector) {
            (bytes32 a, uint32 b, uint32 c) = abi.decode(args, (bytes32, uint32, uint32));
            return keccak256(bytes.concat(abi.encode(LIMIT, a, b, c), signed));
        }
        if (f == this.accredit_radiologist.selector) {
            (address a, bool b) = abi.decode(args, (address, bool));
            return keccak256(bytes.concat(abi.encode(ACCREDIT, a, b), signed));
        }
        if (f == this.transfer_consortium.selector) {
            address a = abi.decode(args, (address));
            return keccak256(bytes.concat(abi.encode(TRANSFER, a), signed));
        }
        revert PcacNested(f);
    }

    /// One of this contract's own functions, in the same caller's name.
    function _self(bytes calldata call) private returns (bytes memory) {
        (bool done, bytes memory answer) = address(this).delegatecall(call);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        return answer;
    }

    function _silent() private pure {
        assembly ("memory-safe") {
            revert(0, 0)
        }
    }
}
