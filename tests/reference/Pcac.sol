// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IPcac} from "./IPcac.sol";

interface IERC1271 {
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4);
}

/// The same contract in Solidity: what one would deploy instead. It is the tests' second opinion, and a measure.
/// It differs in two things: it does not refuse text that is not UTF-8, and it has no predecessor.
contract Pcac is IPcac {
    struct Image {
        address patient;
        uint56 tag;
        uint40 registeredAt;
    }

    struct Upkeep {
        uint8 flags;
        uint24 round;
        uint24 limit;
        uint32 window;
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
        bytes10 notes;
    }

    struct Pending {
        uint8 kind;
        uint40 ripe;
        uint16 hours_;
        uint192 data;
    }

    struct Desk {
        address desk;
        uint8 hours_;
        uint16 epoch;
    }

    struct Delegate {
        uint40 until;
        uint16 epoch;
    }

    struct Account {
        address acting;
        uint24 round;
        uint16 epoch;
        uint16 recovery;
        uint40 lockedUntil;
        uint192 commitment;
        uint16 hours_;
        Pending pending;
        Desk desk;
        mapping(address => Delegate) delegates;
    }

    struct Accreditation {
        uint8 status;
        uint40 at;
        uint40 since;
    }

    uint256 private constant HOUR = 3600;
    uint256 private constant MONTH = 30 days;
    uint256 private constant FOREVER = (1 << 40) - 1;
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ATTESTATION =
        keccak256("ImageAttestation(bytes32 image,address patient,bytes32 seal,uint64 replaces)");
    bytes32 private constant RECOVERY =
        keccak256("Recovery(address patient,address successor,bool lock,uint16 recovery,uint64 deadline)");

    address private holder;
    address private offered;
    mapping(address => Accreditation) private radiologists;
    mapping(address => mapping(uint256 => uint256)) public nonces;
    mapping(bytes32 => Image) private images;
    mapping(bytes32 => Upkeep) private upkeeps;
    mapping(bytes32 => mapping(address => Grant)) private grants;
    mapping(address => Account) private accounts;
    /// who signed the call that is being relayed; zero outside of a relay
    address private transient relayed;

    constructor(address first, address) {
        if (first == address(0)) revert PcacZero(0);
        holder = first;
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
        _nonzero(0, image);
        _nonzero(1, patient);
        _nonzero(2, seal);
        _nonzero(3, radiologist);
        _short(description);
        _onlyActing(patient);
        _unlocked(patient);
        Image storage record = images[image];
        uint64 replaces = 0;
        if (record.patient != address(0)) {
            uint8 flags = upkeeps[image].flags;
            if (record.patient != patient || flags & 2 == 0) revert PcacImageTaken(image, record.patient);
            if (flags & 1 != 0) revert PcacWithdrawn(image, flags);
            replaces = record.registeredAt;
            _later(replaces);
        }
        if (!is_accredited(radiologist)) revert PcacNotAccredited(radiologist);
        if (!_signed(radiologist, keccak256(abi.encode(ATTESTATION, image, patient, seal, replaces)), attestation)) {
            revert PcacBadAttestation(radiologist);
        }
        images[image] = Image(patient, _tag(radiologist, image), uint40(block.timestamp));
        upkeeps[image].flags &= 1;
        emit ContractCreated(patient, image, radiologist, seal, attestation, replaces, description);
        _acted(patient);
        return true;
    }

    function requesting_access(address patient, bytes32 image, bytes32 publicKey, string calldata notes)
        external
        returns (bool)
    {
        _nonzero(0, patient);
        _nonzero(1, image);
        _nonzero(2, publicKey);
        _short(notes);
        address owner = _known(image);
        address requester = _sender();
        if (requester == owner && requester == _acting(owner)) revert PcacOwnImage();
        _available(image);
        if (patient != owner) revert PcacWrongOwner(image, patient, owner);
        Grant storage g = grants[image][requester];
        Standing memory before = g.standing;
        if (_inForce(before)) return true;
        bytes10 digest = bytes10(keccak256(bytes(notes)));
        if (before.status == 1 && before.key == bytes16(publicKey) && g.notes == digest) return false;
        if (before.status != 0) _later(before.requestedAt > before.decidedAt ? before.requestedAt : before.decidedAt);
        g.standing = Standing(1, 0, 0, uint40(block.timestamp), bytes16(publicKey));
        g.notes = digest;
        g.shared = 0;
        emit RequestedForApproval(requester, patient, image, publicKey, notes);
        return false;
    }

    function approve_IRs(
        address requester,
        bytes32 image,
        bytes32 publicKey,
        uint64 requestedAt,
        bytes10 notesDigest,
        bytes32 sharedImage,
        uint64 expiresAt,
        string calldata notes
    ) external returns (bool) {
        _nonzero(0, requester);
        _nonzero(1, image);
        _nonzero(2, publicKey);
        _nonzero(5, sharedImage);
        _short(notes);
        (address patient, uint256 until) = _decides(image);
        if (requester == _sender()) revert PcacOwnRequest(requester);
        _unlocked(patient);
        _available(image);
        _mayEnd(expiresAt, until, false, 0);
        Grant storage g = grants[image][requester];
        if (_inForce(g.standing)) return false;
        _isOpen(g, requester, image);
        if (g.standing.key != bytes16(publicKey) || g.standing.requestedAt != requestedAt || g.notes != notesDigest) {
            revert PcacRequestChanged(g.standing.requestedAt, g.standing.key, g.notes);
        }
        _count(image);
        _decide(g, 2);
        g.standing.expiresAt = uint40(expiresAt);
        g.shared = sharedImage;
        emit Requestaccepted(patient, image, "approved by patient.");
        emit Approved(
            requester,
            image,
            publicKey,
            sharedImage,
            expiresAt,
            bytes(notes).length == 0 ? "Authorized to access image" : notes
        );
        _acted(patient);
        return true;
    }

    function deny_IRs(address requester, bytes32 image, string calldata reason) external returns (bool) {
        _nonzero(0, requester);
        _nonzero(1, image);
        _short(reason);
        (address patient,) = _decides(image);
        Grant storage g = grants[image][requester];
        if (g.standing.status != 1) return false;
        _decide(g, 3);
        emit Requestdenied(patient, image, "Failed to be approved by patient");
        emit Reason(requester, image, reason);
        _acted(patient);
        return true;
    }

    function trace_authorization(address patient, address requester, bytes32 image) external returns (bool) {
        _nonzero(0, patient);
        _nonzero(1, requester);
        _nonzero(2, image);
        address owner = _known(image);
        address caller = _sender();
        if (caller != requester && caller != _acting(owner)) revert PcacNotRequesterOrPatient(caller);
        if (patient != owner) revert PcacWrongOwner(image, patient, owner);
        if (is_authorized(patient, requester, image)) {
            emit AuthorizationSuccess(requester, image, "Authorized to access image", patient);
            return true;
        }
        emit AuthorizationFailed(requester, image, "Image is not authorized to access", patient);
        return false;
    }

    function remove_IRs(address requester, bytes32 image) external returns (bool) {
        _nonzero(0, requester);
        _nonzero(1, image);
        address patient = _known(image);
        if (_sender() != requester) _decides(image);
        Grant storage g = grants[image][requester];
        uint8 status = g.standing.status;
        if (status != 1 && status != 2 && status != 5) return false;
        g.shared = 0;
        _decide(g, 4);
        emit UserRemoved(requester, patient, image, "removed");
        emit Reason(requester, image, "Contract expired");
        _acted(patient);
        return true;
    }

    // ---- the patient's upkeep ----

    function reshare_IRs(address requester, bytes32 image, uint64 decidedAt, bytes32 sharedImage, uint64 expiresAt)
        external
        returns (bool)
    {
        _nonzero(0, requester);
        _nonzero(1, image);
        _nonzero(3, sharedImage);
        (address patient, uint256 until) = _decides(image);
        if (until != 0 && requester == _sender()) revert PcacOwnRequest(requester);
        _unlocked(patient);
        _available(image);
        Grant storage g = grants[image][requester];
        Standing memory s = g.standing;
        bool inForce = s.status == 2 && _inForce(s);
        _mayEnd(expiresAt, until, inForce, s.expiresAt);
        if (!inForce) revert PcacNotApproved(requester, image);
        if (decidedAt != s.decidedAt) revert PcacRequestChanged(s.decidedAt, s.key, 0);
        _later(decidedAt);
        g.standing.decidedAt = uint40(block.timestamp);
        g.standing.expiresAt = uint40(expiresAt);
        g.shared = sharedImage;
        emit Reshared(requester, image, sharedImage, expiresAt);
        _acted(patient);
        return true;
    }

    function reseal_image(bytes32 image, bytes32 root, bytes32 emergency_, uint32 round) external {
        _nonzero(0, image);
        _nonzero(1, root);
        address patient = _owned(image);
        _unlocked(patient);
        _available(image);
        emit ImageResealed(image, root, emergency_, _raise(image, round));
        _acted(patient);
    }

    function set_approval_limit(bytes32 image, uint32 approvals, uint32 windowSeconds, uint32 round) external {
        _nonzero(0, image);
        address patient = _owned(image);
        _unlocked(patient);
        _available(image);
        if (approvals >= 1 << 24 || (approvals > 0 && windowSeconds == 0)) {
            revert PcacBadLimit(approvals, windowSeconds);
        }
        uint24 raised = _raise(image, round);
        Upkeep storage u = upkeeps[image];
        u.limit = uint24(approvals);
        u.window = windowSeconds;
        u.used = 0;
        u.start = 0;
        emit ApprovalLimitSet(image, approvals, windowSeconds, raised);
        _acted(patient);
    }

    function withdraw_image(bytes32 image) external returns (bool) {
        _nonzero(0, image);
        _unlocked(_owned(image));
        return _flag(image, upkeeps[image].flags | 1, 0);
    }

    function restore_image(bytes32 image, uint32 round) external returns (bool) {
        _nonzero(0, image);
        _unlocked(_owned(image));
        _sameRound(round, upkeeps[image].round);
        return _flag(image, upkeeps[image].flags & 2, 0);
    }

    function retract_image(bytes32 image, uint8 reason) external returns (bool) {
        _nonzero(0, image);
        _known(image);
        address caller = _sender();
        if (images[image].tag != _tag(caller, image)) revert PcacNotAttester(caller);
        uint8 status = radiologists[caller].status;
        if (status != 1 && status != 2) revert PcacNotAccredited(caller);
        return _flag(image, upkeeps[image].flags | 2, reason);
    }

    function import_image(bytes32 image) external view {
        _nonzero(0, image);
        address owner = images[image].patient;
        if (owner != address(0)) revert PcacImageTaken(image, owner);
        revert PcacNoPredecessor();
    }

    // ---- the patient's account ----

    function set_guardians(address patient, uint32 round, bytes24 commitment, uint16 delayHours) external {
        _nonzero(0, patient);
        _onlyActing(patient);
        _unlocked(patient);
        if (commitment == 0) _range(delayHours, 0, 0);
        else _range(delayHours, 72, 720);
        Account storage a = accounts[patient];
        _sameRound(round, a.round);
        if (a.commitment == 0) {
            delete a.pending;
            _appoint(a, uint192(commitment), delayHours);
            _changed(patient, 1, 0, _data(uint192(commitment), delayHours));
            return;
        }
        _ownChange(patient, Pending(1, _after(a.hours_), delayHours, uint192(commitment)));
    }

    function move_account(address patient, uint32 round, address successor) external {
        _nonzero(0, patient);
        _nonzero(2, successor);
        _onlyActing(patient);
        _unlocked(patient);
        if (successor == _acting(patient)) revert PcacBadSuccessor(successor);
        Account storage a = accounts[patient];
        _sameRound(round, a.round);
        _ownChange(patient, Pending(2, _after(a.hours_), 0, uint160(successor)));
    }

    function set_emergency(address patient, uint32 round, address desk, uint8 maxHours) external returns (bool) {
        _nonzero(0, patient);
        _onlyActing(patient);
        Account storage a = accounts[patient];
        (address old, uint8 oldHours) = emergency(patient);
        if (desk == address(0) || (desk == old && maxHours != 0 && maxHours <= oldHours)) {
            uint8 left = desk == address(0) ? 0 : maxHours;
            bool waiting = _pending(patient).kind == 3;
            bool took = waiting || desk != old || left != oldHours;
            if (waiting) delete a.pending;
            a.desk = Desk(desk, left, a.epoch);
            _changed(patient, 3, 0, _data(uint160(desk), left));
            return took;
        }
        _unlocked(patient);
        _range(maxHours, 1, 72);
        _sameRound(round, a.round);
        _ownChange(patient, Pending(3, _after(a.commitment == 0 ? 72 : a.hours_), maxHours, uint160(desk)));
        return true;
    }

    function start_recovery(
        address patient,
        address successor,
        bool lock,
        address[] calldata guardians,
        uint8 threshold,
        bytes32 salt,
        uint64 deadline,
        bytes[] calldata signatures
    ) external {
        _nonzero(0, patient);
        _nonzero(1, successor);
        if (block.timestamp > deadline || deadline > block.timestamp + MONTH) {
            revert PcacExpired(deadline, uint64(block.timestamp));
        }
        Account storage a = accounts[patient];
        {
            uint192 found = _commitment(guardians, threshold, salt);
            if (
                a.commitment == 0 || found != a.commitment || signatures.length != guardians.length
                    || (threshold == 1 && lock)
            ) revert PcacBadGuardians(bytes24(a.commitment), bytes24(found));
        }
        if (lock && successor == _acting(patient)) revert PcacBadSuccessor(successor);
        Pending memory p = _pending(patient);
        if (threshold == 1 && p.kind == 1) revert PcacPending(p.kind, p.ripe);
        _enough(
            guardians,
            threshold,
            keccak256(abi.encode(RECOVERY, patient, successor, lock, a.recovery, deadline)),
            signatures
        );
        p = Pending(threshold == 1 ? 5 : 4, _after(a.hours_), 0, uint160(successor));
        a.recovery = (a.recovery + 1) & 0x7fff;
        a.lockedUntil = lock ? uint40(p.ripe + MONTH) : 0;
        if (successor == _acting(patient)) {
            delete a.pending;
            _changed(patient, p.kind, 0, p.data);
        } else {
            a.pending = p;
            _changed(patient, p.kind, p.ripe, p.data);
        }
    }

    function cancel_change(address patient) external returns (bool) {
        _nonzero(0, patient);
        _onlyActing(patient);
        _unlocked(patient);
        bool was = _pending(patient).kind != 0;
        delete accounts[patient].pending;
        _changed(patient, 6, 0, 0);
        return was;
    }

    function finish_change(address patient) external {
        _nonzero(0, patient);
        Account storage a = accounts[patient];
        Pending memory p = _pending(patient);
        if (p.kind == 0) revert PcacNothingPending(patient);
        address successor = address(uint160(p.data));
        if (p.kind != 1 && p.kind != 3 && _sender() != successor) revert PcacNotSuccessor(_sender(), successor);
        if (block.timestamp < p.ripe) revert PcacNotRipe(p.ripe, uint64(block.timestamp));
        delete a.pending;
        address from = _acting(patient);
        if (p.kind == 1) {
            _appoint(a, p.data, p.hours_);
        } else if (p.kind == 3) {
            a.desk = Desk(successor, uint8(p.hours_), a.epoch);
        } else {
            bool keeps = p.kind == 2 && a.desk.epoch == a.epoch;
            a.acting = successor;
            a.lockedUntil = 0;
            unchecked {
                a.epoch++;
            }
            if (keeps) a.desk.epoch = a.epoch;
        }
        _changed(patient, 7, 0, _data(p.data, p.hours_));
        if (_acting(patient) != from) emit AccountMoved(patient, from, successor);
    }

    function set_delegate(address patient, uint32 round, address who, uint64 until) external returns (bool done) {
        _nonzero(0, patient);
        _nonzero(2, who);
        _onlyActing(patient);
        Account storage a = accounts[patient];
        done = true;
        if (until == 0) {
            done = delegate(patient, who) != 0;
        } else {
            _unlocked(patient);
            _ends(until, FOREVER);
            _sameRound(round, a.round);
        }
        a.delegates[who] = Delegate(uint40(until), a.epoch);
        _changed(patient, 8, 0, (uint256(until) << 160) | uint160(who));
    }

    function break_glass(
        address requester,
        bytes32 image,
        bytes32 publicKey,
        uint64 requestedAt,
        uint64 until,
        bytes32 reasonCode
    ) external returns (bool) {
        _nonzero(0, requester);
        _nonzero(1, image);
        _nonzero(2, publicKey);
        address patient = _known(image);
        {
            (address desk, uint8 most) = emergency(patient);
            if (desk == address(0) || _sender() != desk) revert PcacNotDesk(_sender(), desk);
            if (requester == desk) revert PcacOwnRequest(desk);
            _available(image);
            _ends(until, block.timestamp + uint256(most) * HOUR);
        }
        Grant storage g = grants[image][requester];
        if (_inForce(g.standing)) return false;
        _isOpen(g, requester, image);
        if (g.standing.key != bytes16(publicKey) || g.standing.requestedAt != requestedAt) {
            revert PcacRequestChanged(g.standing.requestedAt, g.standing.key, g.notes);
        }
        _decide(g, 5);
        g.standing.expiresAt = uint40(until);
        emit EmergencyOpened(requester, patient, image, publicKey, until, reasonCode);
        return true;
    }

    // ---- the consortium ----

    function accredit_radiologist(address radiologist, uint8 status, uint64 since) external {
        _nonzero(0, radiologist);
        if (_sender() != holder) revert PcacNotConsortium(_sender());
        Accreditation storage r = radiologists[radiologist];
        bool allowed = since <= FOREVER && r.status != 3 && status >= 1 && status <= 3;
        if (status == 1 && since != 0) allowed = false;
        if (status == 2 && (since == 0 || r.status == 0)) allowed = false;
        if (!allowed) revert PcacBadStatus(status, since);
        if (status == 1 && r.at == 0) r.at = uint40(block.timestamp);
        r.status = status;
        r.since = uint40(since);
        emit RadiologistAccredited(radiologist, status, since);
    }

    function transfer_consortium(address to) external {
        _nonzero(0, to);
        if (_sender() != holder) revert PcacNotConsortium(_sender());
        offered = to == holder ? address(0) : to;
        emit ConsortiumOffered(holder, to);
    }

    function accept_consortium() external {
        address caller = _sender();
        if (caller != offered) revert PcacNotConsortium(caller);
        emit ConsortiumTransferred(holder, caller);
        holder = caller;
        offered = address(0);
    }

    // ---- for others, and many at once ----

    function relay(address signer, uint256 nonce, uint64 deadline, bytes calldata call, bytes calldata signature)
        external
        returns (bytes memory)
    {
        _nonzero(0, signer);
        bytes32 message = _message(call, abi.encode(signer, nonce, deadline));
        if (block.timestamp > deadline) revert PcacExpired(deadline, uint64(block.timestamp));
        uint256 bit = 1 << (nonce & 255);
        uint256 used = nonces[signer][nonce >> 8];
        if (used & bit != 0) revert PcacBadNonce(signer, nonce);
        if (!_signed(signer, message, signature)) revert PcacBadSignature(signer);
        nonces[signer][nonce >> 8] = used | bit;
        relayed = signer;
        bytes memory answer = _self(call);
        relayed = address(0);
        return answer;
    }

    function void_nonces(uint256 word, uint256 mask) external {
        nonces[_sender()][word] |= mask;
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

    function is_authorized(address patient, address requester, bytes32 image) public view returns (bool) {
        address owner = images[image].patient;
        if (owner == address(0) || owner != patient) return false;
        if (requester == _acting(owner)) return true;
        return upkeeps[image].flags == 0 && _inForce(grants[image][requester].standing);
    }

    function image_record(bytes32 image)
        external
        view
        returns (address, uint64, uint32, uint32, uint8, uint64, uint32)
    {
        Image storage r = images[image];
        Upkeep storage u = upkeeps[image];
        return (r.patient, r.registeredAt, u.limit, u.window, u.flags, r.tag, u.round);
    }

    function grant(bytes32 image, address requester)
        external
        view
        returns (uint8, uint64, uint64, uint64, bytes16, bytes32, bytes10)
    {
        Grant storage g = grants[image][requester];
        Standing memory s = g.standing;
        return (s.status, s.requestedAt, s.decidedAt, s.expiresAt, s.key, g.shared, g.notes);
    }

    function account(address patient)
        external
        view
        returns (
            address acting,
            uint32 round,
            uint16 epoch,
            uint16 recovery,
            uint64 lockedUntil,
            bytes24 commitment,
            uint16 delayHours,
            uint8 pendingKind,
            uint64 pendingRipe,
            uint16 pendingHours,
            bytes24 pendingData
        )
    {
        Account storage a = accounts[patient];
        acting = _acting(patient);
        round = a.round;
        epoch = a.epoch;
        recovery = a.recovery;
        lockedUntil = _locked(patient);
        commitment = bytes24(a.commitment);
        delayHours = a.hours_;
        Pending memory p = _pending(patient);
        pendingKind = p.kind;
        pendingRipe = p.ripe;
        pendingHours = p.hours_;
        pendingData = bytes24(p.data);
    }

    function delegate(address patient, address who) public view returns (uint64) {
        Delegate memory d = accounts[patient].delegates[who];
        return d.epoch == accounts[patient].epoch ? d.until : 0;
    }

    function emergency(address patient) public view returns (address, uint8) {
        Desk memory d = accounts[patient].desk;
        return d.epoch == accounts[patient].epoch ? (d.desk, d.hours_) : (address(0), 0);
    }

    function consortium() external view returns (address, address) {
        return (holder, offered);
    }

    function predecessor() external pure returns (address) {
        return address(0);
    }

    function is_accredited(address radiologist) public view returns (bool) {
        Accreditation memory r = radiologists[radiologist];
        return r.status == 1 || (r.status == 2 && block.timestamp < r.since);
    }

    function accreditation(address radiologist) external view returns (uint8, uint64, uint64) {
        Accreditation memory r = radiologists[radiologist];
        return (r.status, r.at, r.since);
    }

    function version() external pure returns (string memory) {
        return "2";
    }

    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (0x0f, "Pcac", "2", block.chainid, address(this), 0, new uint256[](0));
    }

    // ---- what they share ----

    function _sender() private view returns (address) {
        address signer = relayed;
        return signer == address(0) ? msg.sender : signer;
    }

    function _nonzero(uint8 position, bytes32 word) private pure {
        if (word == 0) revert PcacZero(position);
    }

    function _nonzero(uint8 position, address word) private pure {
        if (word == address(0)) revert PcacZero(position);
    }

    function _short(string calldata text) private pure {
        if (bytes(text).length > 256) revert PcacTextTooLong(bytes(text).length, 256);
    }

    function _later(uint256 before) private view {
        if (block.timestamp <= before) revert PcacTooSoon(uint64(before + 1));
    }

    function _ends(uint64 end, uint256 latest) private view {
        if (end <= block.timestamp || end > latest) {
            revert PcacBadExpiry(end, uint64(block.timestamp), uint64(latest));
        }
    }

    function _range(uint16 found, uint16 least, uint16 most) private pure {
        if (found < least || found > most) revert PcacBadHours(found, least, most);
    }

    function _sameRound(uint32 wanted, uint24 round) private pure {
        if (wanted != round) revert PcacRoundChanged(wanted, round);
    }

    function _after(uint256 hours_) private view returns (uint40) {
        return uint40(block.timestamp + hours_ * HOUR);
    }

    function _data(uint192 payload, uint16 hours_) private pure returns (uint256) {
        return (uint256(hours_) << 192) | payload;
    }

    function _acting(address patient) private view returns (address) {
        address acting = accounts[patient].acting;
        return acting == address(0) ? patient : acting;
    }

    function _onlyActing(address patient) private view {
        address acting = _acting(patient);
        if (_sender() != acting) revert PcacNotPatient(_sender(), acting);
    }

    function _locked(address patient) private view returns (uint64) {
        uint64 until = accounts[patient].lockedUntil;
        return block.timestamp < until ? until : 0;
    }

    function _unlocked(address patient) private view {
        uint64 until = _locked(patient);
        if (until != 0) revert PcacLocked(patient, until);
    }

    function _known(bytes32 image) private view returns (address patient) {
        patient = images[image].patient;
        if (patient == address(0)) revert PcacUnknownImage(image);
    }

    function _owned(bytes32 image) private view returns (address patient) {
        patient = _known(image);
        _onlyActing(patient);
    }

    /// The patient for whom the caller decides, and the end of his time if he is her delegate.
    function _decides(bytes32 image) private view returns (address patient, uint256 until) {
        patient = _known(image);
        if (_sender() == _acting(patient)) return (patient, 0);
        until = delegate(patient, _sender());
        if (until <= block.timestamp) _onlyActing(patient);
    }

    function _available(bytes32 image) private view {
        uint8 flags = upkeeps[image].flags;
        if (flags != 0) revert PcacWithdrawn(image, flags);
    }

    function _mayEnd(uint64 end, uint256 until, bool stands, uint64 stored) private view {
        if (until != 0 && !(stands && end == stored)) _ends(end, until);
        else if (end != 0) _ends(end, FOREVER);
    }

    function _acted(address patient) private {
        if (_sender() != patient) emit Acted(patient, _sender());
    }

    function _inForce(Standing memory g) private view returns (bool) {
        if (g.status == 2) return g.expiresAt == 0 || block.timestamp < g.expiresAt;
        return g.status == 5 && block.timestamp < g.expiresAt;
    }

    function _isOpen(Grant storage g, address requester, bytes32 image) private view {
        if (g.standing.status != 1) revert PcacNoRequest(requester, image);
    }

    function _decide(Grant storage g, uint8 status) private {
        uint40 at = uint40(block.timestamp);
        if (at < g.standing.requestedAt) at = g.standing.requestedAt;
        if (at < g.standing.decidedAt) at = g.standing.decidedAt;
        g.standing.status = status;
        g.standing.decidedAt = at;
        g.notes = 0;
    }

    function _tag(address radiologist, bytes32 image) private pure returns (uint56 tag) {
        tag = uint56(bytes7(keccak256(abi.encode(radiologist, image))));
        if (tag == 0) tag = 1;
    }

    function _raise(bytes32 image, uint32 round) private returns (uint24) {
        _sameRound(round, upkeeps[image].round);
        unchecked {
            return ++upkeeps[image].round;
        }
    }

    function _flag(bytes32 image, uint8 flags, uint8 reason) private returns (bool changed) {
        Upkeep storage u = upkeeps[image];
        changed = u.flags != flags;
        u.flags = flags;
        unchecked {
            emit ImageFlagged(image, _sender(), flags, reason, ++u.round);
        }
    }

    function _count(bytes32 image) private {
        Upkeep storage u = upkeeps[image];
        if (u.limit == 0) return;
        uint256 end = uint256(u.start) + u.window;
        if (u.used == 0 || block.timestamp >= end) {
            u.start = uint40(block.timestamp);
            u.used = 1;
            return;
        }
        if (u.used >= u.limit) revert PcacApprovalLimitReached(u.limit, uint64(end));
        u.used++;
    }

    function _pending(address patient) private view returns (Pending memory p) {
        p = accounts[patient].pending;
        if ((p.kind == 2 || p.kind > 3) && block.timestamp >= p.ripe + MONTH) return Pending(0, 0, 0, 0);
    }

    function _ownChange(address patient, Pending memory change) private {
        Pending memory p = _pending(patient);
        if (p.kind == 4 || (p.kind == 5 && change.kind != 1)) revert PcacPending(p.kind, p.ripe);
        accounts[patient].pending = change;
        _changed(patient, change.kind, change.ripe, _data(change.data, change.hours_));
    }

    function _appoint(Account storage a, uint192 commitment, uint16 hours_) private {
        a.recovery = (a.recovery + 1) & 0x7fff;
        a.commitment = commitment;
        a.hours_ = hours_;
    }

    function _changed(address patient, uint8 kind, uint64 ripe, uint256 data) private {
        uint24 round;
        unchecked {
            round = ++accounts[patient].round;
        }
        emit AccountChanged(patient, _sender(), kind, round, ripe, _locked(patient), bytes32(data));
    }

    function _commitment(address[] calldata guardians, uint8 threshold, bytes32 salt) private pure returns (uint192) {
        uint256 count = guardians.length;
        if (count > 15 || threshold == 0 || threshold > count) return 0;
        bytes memory words;
        for (uint256 i = 0; i < count; ++i) {
            if (i > 0 && guardians[i - 1] >= guardians[i]) return 0;
            words = bytes.concat(words, abi.encode(guardians[i]));
        }
        return uint192(bytes24(keccak256(bytes.concat(words, abi.encode(threshold, salt)))));
    }

    function _enough(address[] calldata guardians, uint8 threshold, bytes32 message, bytes[] calldata signatures)
        private
        view
    {
        uint256 signed;
        for (uint256 i = 0; i < guardians.length; ++i) {
            if (signatures[i].length == 0) continue;
            if (!_signed(guardians[i], message, signatures[i])) revert PcacBadSignature(guardians[i]);
            signed++;
        }
        if (signed < threshold) revert PcacTooFewGuardians(signed, threshold);
    }

    function _signed(address signer, bytes32 message, bytes calldata signature) private view returns (bool) {
        if (signature.length > 8192) return false;
        bytes32 domain = keccak256(abi.encode(DOMAIN, keccak256("Pcac"), keccak256("2"), block.chainid, address(this)));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, message));
        if (signature.length == 65) {
            uint8 v = uint8(signature[64]);
            if ((v == 27 || v == 28) && uint256(bytes32(signature[32:64])) <= HALF_ORDER) {
                if (ecrecover(digest, v, bytes32(signature[:32]), bytes32(signature[32:64])) == signer) return true;
            }
        }
        (bool done, bytes memory answer) =
            signer.staticcall(abi.encodeCall(IERC1271.isValidSignature, (digest, signature)));
        return done && answer.length >= 32 && bytes32(answer) == bytes32(IERC1271.isValidSignature.selector);
    }

    /// The hash of a function's type as it is signed, its arguments, and those of them that are bytes or text.
    function _form(bytes4 f) private pure returns (bytes32, uint256, uint256) {
        if (f == IPcac.create_contract.selector) return (keccak256("create_contract(bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description,address signer,uint256 nonce,uint64 deadline)"), 6, 48);
        if (f == IPcac.requesting_access.selector) return (keccak256("requesting_access(address patient,bytes32 image,bytes32 publicKey,string notes,address signer,uint256 nonce,uint64 deadline)"), 4, 8);
        if (f == IPcac.approve_IRs.selector) return (keccak256("approve_IRs(address requester,bytes32 image,bytes32 publicKey,uint64 requestedAt,bytes10 notesDigest,bytes32 sharedImage,uint64 expiresAt,string notes,address signer,uint256 nonce,uint64 deadline)"), 8, 128);
        if (f == IPcac.deny_IRs.selector) return (keccak256("deny_IRs(address requester,bytes32 image,string reason,address signer,uint256 nonce,uint64 deadline)"), 3, 4);
        if (f == IPcac.trace_authorization.selector) return (keccak256("trace_authorization(address patient,address requester,bytes32 image,address signer,uint256 nonce,uint64 deadline)"), 3, 0);
        if (f == IPcac.remove_IRs.selector) return (keccak256("remove_IRs(address requester,bytes32 image,address signer,uint256 nonce,uint64 deadline)"), 2, 0);
        if (f == IPcac.reshare_IRs.selector) return (keccak256("reshare_IRs(address requester,bytes32 image,uint64 decidedAt,bytes32 sharedImage,uint64 expiresAt,address signer,uint256 nonce,uint64 deadline)"), 5, 0);
        if (f == IPcac.reseal_image.selector) return (keccak256("reseal_image(bytes32 image,bytes32 root,bytes32 emergency,uint32 round,address signer,uint256 nonce,uint64 deadline)"), 4, 0);
        if (f == IPcac.set_approval_limit.selector) return (keccak256("set_approval_limit(bytes32 image,uint32 approvals,uint32 windowSeconds,uint32 round,address signer,uint256 nonce,uint64 deadline)"), 4, 0);
        if (f == IPcac.withdraw_image.selector) return (keccak256("withdraw_image(bytes32 image,address signer,uint256 nonce,uint64 deadline)"), 1, 0);
        if (f == IPcac.restore_image.selector) return (keccak256("restore_image(bytes32 image,uint32 round,address signer,uint256 nonce,uint64 deadline)"), 2, 0);
        if (f == IPcac.retract_image.selector) return (keccak256("retract_image(bytes32 image,uint8 reason,address signer,uint256 nonce,uint64 deadline)"), 2, 0);
        if (f == IPcac.import_image.selector) return (keccak256("import_image(bytes32 image,address signer,uint256 nonce,uint64 deadline)"), 1, 0);
        if (f == IPcac.set_guardians.selector) return (keccak256("set_guardians(address patient,uint32 round,bytes24 commitment,uint16 delayHours,address signer,uint256 nonce,uint64 deadline)"), 4, 0);
        if (f == IPcac.move_account.selector) return (keccak256("move_account(address patient,uint32 round,address successor,address signer,uint256 nonce,uint64 deadline)"), 3, 0);
        if (f == IPcac.set_emergency.selector) return (keccak256("set_emergency(address patient,uint32 round,address desk,uint8 maxHours,address signer,uint256 nonce,uint64 deadline)"), 4, 0);
        if (f == IPcac.cancel_change.selector) return (keccak256("cancel_change(address patient,address signer,uint256 nonce,uint64 deadline)"), 1, 0);
        if (f == IPcac.finish_change.selector) return (keccak256("finish_change(address patient,address signer,uint256 nonce,uint64 deadline)"), 1, 0);
        if (f == IPcac.set_delegate.selector) return (keccak256("set_delegate(address patient,uint32 round,address delegate,uint64 until,address signer,uint256 nonce,uint64 deadline)"), 4, 0);
        if (f == IPcac.break_glass.selector) return (keccak256("break_glass(address requester,bytes32 image,bytes32 publicKey,uint64 requestedAt,uint64 until,bytes32 reasonCode,address signer,uint256 nonce,uint64 deadline)"), 6, 0);
        if (f == IPcac.void_nonces.selector) return (keccak256("void_nonces(uint256 word,uint256 mask,address signer,uint256 nonce,uint64 deadline)"), 2, 0);
        revert PcacNested(f);
    }

    function _message(bytes calldata call, bytes memory signed) private pure returns (bytes32) {
        if (call.length < 4) _silent();
        (bytes32 kind, uint256 count, uint256 dynamic) = _form(bytes4(call));
        bytes calldata args = call[4:];
        bytes memory words = abi.encode(kind);
        for (uint256 i = 0; i < count; ++i) {
            bytes32 word = bytes32(args[32 * i:32 * i + 32]);
            if ((dynamic >> i) & 1 == 1) {
                uint256 at = uint256(word);
                uint256 length = uint256(bytes32(args[at:at + 32]));
                word = keccak256(args[at + 32:at + 32 + length]);
            }
            words = bytes.concat(words, word);
        }
        return keccak256(bytes.concat(words, signed));
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
