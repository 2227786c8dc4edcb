// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// Patient-centric access control for medical images, version 2. One deployment serves every patient and every image.
///
/// Digests (`image`, `publicKey`, `sharedImage`, `root`, `emergency`) are the sha2-256 multihash digests of CIDs.
/// Times are seconds since 1970 in the chain's clock; hours have 3,600 seconds. Text is UTF-8, at most 256
/// bytes, and not interpreted. Checks come in this order and the first that fails speaks: decoding, zero arguments,
/// text length, unknown image, caller, lock, withdrawal, the owner's arguments, round, state. No function takes value.
/// Calldata that cannot be decoded (dirty bytes of an address included) reverts with no data.
///
/// A patient is the address that she began with. The **acting key** decides for her: her own address until a move or a
/// recovery names another. A call that gives names the state it was decided on (`requestedAt`, `decidedAt`, `round`) and
/// dies with it. A call that takes away names none, and nothing can hold it up but a lock, where that is said.
///
/// The constructor is `constructor(address consortium, address predecessor)`; the consortium is never zero, the
/// predecessor zero if there is none. It runs once and is called as `stylus_constructor()` (0x5585258d) followed by the
/// encoded arguments.
interface IPcac {
    // ---- Algorithms 1 to 5 ----

    /// Registers an image of `patient`, by her acting key. `attestation` is the accredited radiologist's EIP-712
    /// signature over `ImageAttestation(bytes32 image,address patient,bytes32 seal,uint64 replaces)` in the domain
    /// `Pcac`/`2`/chainId/contract: 65 bytes r, s, v with the lower s, or whatever ERC-1271 takes; at most 8,192 bytes.
    /// `replaces` is 0 for an unknown image. For a retracted one of the same patient it is the record's `registeredAt`,
    /// and the registration replaces the record: the retraction is cleared, the grants stand. Always true.
    /// # Events
    /// `ContractCreated`, then `Acted` unless sent by the patient's own address.
    function create_contract(bytes32 image, address patient, bytes32 seal, address radiologist, bytes calldata attestation, string calldata description) external returns (bool);

    /// Asks for access. True if the caller is authorized now; nothing changes and no event is emitted. Otherwise opens a request and
    /// returns false. While one is open the same key and notes change nothing; another key or other notes open it again
    /// with another `requestedAt`. Each `requestedAt` is later than the one before and the decision before. The patient cannot
    /// ask as long as she acts for herself.
    /// # Events
    /// `RequestedForApproval`, if a request was opened.
    function requesting_access(address patient, bytes32 image, bytes32 publicKey, string calldata notes) external returns (bool);

    /// Grants the open request that was made with just this key, at `requestedAt`, with notes of this digest (the first
    /// ten bytes of their keccak256), until `expiresAt` (0: for good). By the acting key or a delegate, not for
    /// himself; a delegate neither for good nor beyond his own end. False, and nothing changes, if already authorized.
    /// # Events
    /// `Requestaccepted`, `Approved`, then `Acted` unless sent by the patient's own address.
    function approve_IRs(address requester, bytes32 image, bytes32 publicKey, uint64 requestedAt, bytes10 notesDigest, bytes32 sharedImage, uint64 expiresAt, string calldata notes) external returns (bool);

    /// Denies an open request, by the acting key or a delegate. False if there is none.
    /// # Events
    /// `Requestdenied`, `Reason`, then `Acted` unless sent by the patient's own address.
    function deny_IRs(address requester, bytes32 image, string calldata reason) external returns (bool);

    /// Records whether `requester` is authorized now, and returns it. For the requestor and the patient's acting key only.
    /// # Events
    /// `AuthorizationSuccess` or `AuthorizationFailed`.
    function trace_authorization(address patient, address requester, bytes32 image) external returns (bool);

    /// Ends a request, an approval or an emergency access, expired or not. By the acting key, a delegate, or the requestor
    /// himself. False if there is none.
    /// # Events
    /// `UserRemoved`, `Reason`, then `Acted` unless sent by the patient's own address.
    function remove_IRs(address requester, bytes32 image) external returns (bool);

    // ---- the patient's upkeep ----

    /// Replaces the shared image and the expiry of an approval in force that was decided at `decidedAt`, and decides it
    /// again: its `decidedAt` is now, which is later. By the acting key or a delegate, who names an end up to his own or
    /// the stored one. Always true.
    /// # Events
    /// `Reshared`, then `Acted` unless sent by the patient's own address.
    function reshare_IRs(address requester, bytes32 image, uint64 decidedAt, bytes32 sharedImage, uint64 expiresAt) external returns (bool);

    /// Announces the root of a new body for the image, and the digest of its emergency object (zero for none).
    /// `round` is the image's, and is raised.
    /// # Events
    /// `ImageResealed`, then `Acted` unless sent by the patient's own address.
    function reseal_image(bytes32 image, bytes32 root, bytes32 emergency, uint32 round) external;

    /// Allows `approvals` (below 2^24) in a window of `windowSeconds`; 0 approvals lifts the limit. Restarts the window.
    /// `round` is the image's, and is raised.
    /// # Events
    /// `ApprovalLimitSet`, then `Acted` unless sent by the patient's own address.
    function set_approval_limit(bytes32 image, uint32 approvals, uint32 windowSeconds, uint32 round) external;

    /// Stops all access to the image but the patient's own: requests and what gives are refused, nobody else is
    /// authorized. By the acting key, not under a lock. Raises the image's round. False if it is withdrawn already.
    /// # Events
    /// `ImageFlagged`, whatever it returns.
    function withdraw_image(bytes32 image) external returns (bool);

    /// Ends a withdrawal. `round` is the image's, and is raised. False if it is not withdrawn.
    /// # Events
    /// `ImageFlagged`, whatever it returns.
    function restore_image(bytes32 image, uint32 round) external returns (bool);

    /// Says that the image is another patient's, or not to be used: `reason` is a code of the caller's. By the
    /// radiologist who attested it, accredited or retired. As a withdrawal, and only a new registration ends it. Raises
    /// the image's round. False if it is retracted already.
    /// # Events
    /// `ImageFlagged`, whatever it returns.
    function retract_image(bytes32 image, uint8 reason) external returns (bool);

    /// Copies the record of an image from the predecessor: patient, time of registration, withdrawal, retraction and its
    /// attester; neither limit nor grants. By who acts for the patient here.
    /// # Events
    /// `ImageImported`, then `Acted` unless sent by the patient's own address; before them what settling the account says.
    function import_image(bytes32 image) external;

    // ---- the patient's account ----
    //
    // Each of these calls raises the account's round. An own change (guardians, move, emergency desk) is pending until it
    // is finished; one change at a time is pending, and a new own change replaces an own one. With a predecessor each
    // first settles the account: once, what the predecessor's account says is copied.

    /// Names the guardians: `commitment` is the first 24 bytes of keccak256 over their addresses (each one word,
    /// strictly ascending, at most 15), the threshold (one word) and a salt of 32 bytes. They wait `delayHours` (72 to 720) before
    /// what they start can be finished, and so does each later change. The first guardians are named at once; later ones
    /// are pending. A zero commitment, with zero hours, ends the set. By the acting key, not under a lock.
    /// # Events
    /// `AccountChanged` of kind 1; its `ripe` is 0 if the guardians are named at once.
    function set_guardians(address patient, uint32 round, bytes24 commitment, uint16 delayHours) external;

    /// Hands the account to `successor`, who finishes it: at once without guardians, else after their hours. By the
    /// acting key, not under a lock.
    /// # Events
    /// `AccountChanged` of kind 2.
    function move_account(address patient, uint32 round, address successor) external;

    /// Names the desk that may open images in an emergency, each time for `maxHours` (1 to 72) at most; pending for the guardians' hours, or
    /// 72 without. A zero desk, or no more hours for the desk in effect, takes away: at once, whatever the round, also
    /// under a lock, and a pending desk ends. False if that took nothing. By the acting key.
    /// # Events
    /// `AccountChanged` of kind 3; its `ripe` is 0 if it is in effect at once.
    function set_emergency(address patient, uint32 round, address desk, uint8 maxHours) external returns (bool);

    /// Has the guardians move the account to `successor`, who finishes it after their hours. Anyone sends it, with
    /// `signatures[i]` of `guardians[i]` (empty: absent), at least `threshold` of them, over
    /// `Recovery(address patient,address successor,bool lock,uint16 recovery,uint64 deadline)`: `recovery` is the account's
    /// counter, the deadline at most 30 days ahead. With `lock` the acting key can neither give, cancel nor withdraw until 30 days
    /// after ripeness; a threshold of 1 cannot lock, and does not replace a pending change of guardians. If the successor
    /// is the acting key (without a lock), what is pending and a lock end.
    /// # Events
    /// `AccountChanged` of kind 4, or 5 for a threshold of 1; its `ripe` is 0 if nothing is pending now.
    function start_recovery(address patient, address successor, bool lock, address[] calldata guardians, uint8 threshold, bytes32 salt, uint64 deadline, bytes[] calldata signatures) external;

    /// Ends what is pending, by the acting key, not under a lock. False if nothing was.
    /// # Events
    /// `AccountChanged` of kind 6, whatever it returns.
    function cancel_change(address patient) external returns (bool);

    /// Puts a ripe change into effect. Guardians and desk by anyone; a move and a recovery by the successor, within 30
    /// days. These make him the acting key: delegates end, and with a recovery the desk does.
    /// # Events
    /// `AccountChanged` of kind 7, then `AccountMoved` if the acting key is another one.
    function finish_change(address patient) external;

    /// Names a delegate until `until`: he approves others than himself, reshares, denies and removes. 0 ends him at once,
    /// whatever the round, also under a lock; false if there was none. By the acting key.
    /// # Events
    /// `AccountChanged` of kind 8.
    function set_delegate(address patient, uint32 round, address delegate, uint64 until) external returns (bool);

    /// Opens an image in an emergency until `until`, at most the desk's hours ahead: the open request that was made with
    /// just this key at `requestedAt`. By the desk in effect, not for itself, also under a lock. False if the requestor is authorized.
    /// # Events
    /// `EmergencyOpened`.
    function break_glass(address requester, bytes32 image, bytes32 publicKey, uint64 requestedAt, uint64 until, bytes32 reasonCode) external returns (bool);

    // ---- the consortium: none of these can be relayed ----

    /// Accredits a radiologist (1; `since` is 0), retires him (2: his attestations are taken until `since`), or revokes
    /// him (3: at once and for good; readers warn of what was registered from `since` on). Only who was accredited retires.
    /// # Events
    /// `RadiologistAccredited`.
    function accredit_radiologist(address radiologist, uint8 status, uint64 since) external;

    /// Offers the consortium's role; its own address withdraws the offer.
    /// # Events
    /// `ConsortiumOffered`.
    function transfer_consortium(address to) external;

    /// Takes the role that was offered to the caller.
    /// # Events
    /// `ConsortiumTransferred`.
    function accept_consortium() external;

    // ---- for others, and many at once ----

    /// Does what `signer` signed: `call` is the calldata of one of the functions above, `signature` the EIP-712 signature
    /// over a struct named as the function, with its arguments in their order and then `address signer, uint256 nonce,
    /// uint64 deadline`, in the domain `Pcac`/`2`/chainId/contract: 65 bytes r, s, v with the lower s, or whatever ERC-1271 takes; at most
    /// 8,192 bytes. `nonce` is one that the signer has not used, in any order; `deadline` the last second. Returns what the call
    /// returns. Anyone may relay. A call that is refused leaves the nonce. A zero signer speaks before `call` is decoded.
    /// # Events
    /// Those of the call.
    function relay(address signer, uint256 nonce, uint64 deadline, bytes calldata call, bytes calldata signature) external returns (bytes memory);

    /// Voids the caller's nonces in a word: those of the bits in `mask`. Nonce n is bit n mod 256 of word n / 256.
    /// # Events
    /// None.
    function void_nonces(uint256 word, uint256 mask) external;

    /// Does the calls one after the other in the caller's name, all of them or none; returns what each returns.
    /// `relay` and `multicall` are not among them.
    /// # Events
    /// Those of the calls.
    function multicall(bytes[] calldata calls) external returns (bytes[] memory);

    // ---- views ----

    /// Returns true if `requester` may see the image now: he acts for the patient, or is approved or in an emergency
    /// access that has not ended, and the image is neither withdrawn nor retracted. Never reverts; false for an unknown image or
    /// a wrong patient.
    function is_authorized(address patient, address requester, bytes32 image) external view returns (bool);

    /// The image's record; all zero if unknown. Flags: 1 withdrawn, 2 retracted. `tag` are the first 56 bits of
    /// keccak256(radiologist, image), each one word (1 if they are zero); 0 for what a version without tags registered.
    function image_record(bytes32 image) external view returns (address patient, uint64 registeredAt, uint32 approvalLimit, uint32 windowSeconds, uint8 flags, uint64 tag, uint32 round);

    /// The requestor's standing: status 0 none, 1 requested, 2 approved, 3 denied, 4 removed, 5 emergency access;
    /// `publicKey` is the first half of the digest; `sharedImage` is zero unless the status is approved; `notesDigest`
    /// is zero unless the request is open.
    function grant(bytes32 image, address requester) external view returns (uint8 status, uint64 requestedAt, uint64 decidedAt, uint64 expiresAt, bytes16 publicKey, bytes32 sharedImage, bytes10 notesDigest);

    /// A patient's account. What is pending: kind 0 nothing, 1 guardians, 2 move, 3 desk, 4 recovery, 5 recovery by a
    /// threshold of 1; `pendingHours` and `pendingData` are its hours and its commitment or address (in the last 20
    /// bytes). A move or recovery that nobody finished in its 30 days is nothing; `lockedUntil` is 0 without a lock.
    function account(address patient) external view returns (address acting, uint32 round, uint16 epoch, uint16 recovery, uint64 lockedUntil, bytes24 commitment, uint16 delayHours, uint8 pendingKind, uint64 pendingRipe, uint16 pendingHours, bytes24 pendingData);

    /// The end of a delegate's time, 0 if he is none. It may have passed.
    function delegate(address patient, address who) external view returns (uint64 until);

    /// The desk in effect and its hours; zero if there is none.
    function emergency(address patient) external view returns (address desk, uint8 maxHours);

    /// The account that accredits radiologists, and the one that the role is offered to (zero for none).
    function consortium() external view returns (address holder, address offered);

    /// The contract that images are imported from, zero if there is none.
    function predecessor() external view returns (address);

    /// Returns true if the radiologist's attestations are taken now.
    function is_accredited(address radiologist) external view returns (bool);

    /// A radiologist's status: 0 none, 1 accredited, 2 retired, 3 revoked; when he was first accredited, and `since`.
    function accreditation(address radiologist) external view returns (uint8 status, uint64 accreditedAt, uint64 since);

    /// The signer's nonces of a word that are used or void, a bit each.
    function nonces(address signer, uint256 word) external view returns (uint256);

    /// The contract's version, which is that of its signing domain.
    function version() external view returns (string memory);

    /// The signing domain (ERC-5267).
    function eip712Domain() external view returns (bytes1 fields, string memory name, string memory version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] memory extensions);

    // ---- events ----

    /// An image was registered, or registered again if `replaces` is not 0; `seal` is the SHA-256 of the radiologist's
    /// signature packet, `info` the description.
    event ContractCreated(address indexed patient, bytes32 indexed image, address indexed radiologist, bytes32 seal, bytes attestation, uint64 replaces, string info);
    /// An image was imported from the predecessor.
    event ImageImported(address indexed patient, bytes32 indexed image, uint64 registeredAt, uint8 flags, uint64 tag);
    /// An image was withdrawn, restored or retracted, or is found so: its flags and its round now.
    event ImageFlagged(bytes32 indexed image, address indexed by, uint8 flags, uint8 reason, uint32 round);
    /// Access was asked for; `info` holds the notes.
    event RequestedForApproval(address indexed requester, address indexed patient, bytes32 indexed image, bytes32 publicKey, string info);
    /// The patient accepted; belongs to the `Approved` that follows it.
    event Requestaccepted(address indexed patient, bytes32 indexed image, string info);
    /// A requestor may see the image until `expiresAt` (0: for good).
    event Approved(address indexed requester, bytes32 indexed image, bytes32 publicKey, bytes32 sharedImage, uint64 expiresAt, string info);
    /// The patient denied; belongs to the `Reason` that follows it.
    event Requestdenied(address indexed patient, bytes32 indexed image, string info);
    /// The reason why a request was denied or a requestor removed.
    event Reason(address indexed requester, bytes32 indexed image, string info);
    /// Traced: authorized.
    event AuthorizationSuccess(address indexed requester, bytes32 indexed image, string info, address indexed patient);
    /// Traced: not authorized.
    event AuthorizationFailed(address indexed requester, bytes32 indexed image, string info, address indexed patient);
    /// A request, an approval or an emergency access was ended.
    event UserRemoved(address indexed requester, address indexed patient, bytes32 indexed image, string info);
    /// An approval has a new shared image and expiry, and was decided again.
    event Reshared(address indexed requester, bytes32 indexed image, bytes32 sharedImage, uint64 expiresAt);
    /// The image has a new body.
    event ImageResealed(bytes32 indexed image, bytes32 root, bytes32 emergency, uint32 round);
    /// The image's approval limit changed.
    event ApprovalLimitSet(bytes32 indexed image, uint32 approvals, uint32 windowSeconds, uint32 round);
    /// The desk opened an image.
    event EmergencyOpened(address indexed requester, address indexed patient, bytes32 indexed image, bytes32 publicKey, uint64 until, bytes32 reasonCode);
    /// The decision before this event was not sent by the patient's own address, but by another that may.
    event Acted(address indexed patient, address indexed by);
    /// An account changed: its round now; `ripe` and `lockedUntil` as in `account`. `data` holds, in its low 192 bits, the
    /// commitment, successor or desk, above them 16 bits of hours; of a delegate his address and above it 40 bits of his end. Kind 9: guardians and
    /// hours were taken over from the predecessor.
    event AccountChanged(address indexed patient, address indexed by, uint8 kind, uint32 round, uint64 ripe, uint64 lockedUntil, bytes32 data);
    /// Another key acts for the patient.
    event AccountMoved(address indexed patient, address indexed from, address indexed to);
    /// A radiologist was accredited, retired or revoked.
    event RadiologistAccredited(address indexed radiologist, uint8 status, uint64 since);
    /// The consortium's role is offered; to its own address: no longer.
    event ConsortiumOffered(address indexed from, address indexed to);
    /// The consortium's role went over; `from` is zero at construction.
    event ConsortiumTransferred(address indexed from, address indexed to);

    // ---- errors ----

    /// The caller is not who acts for the patient.
    error PcacNotPatient(address caller, address acting);
    /// The caller is neither the requestor named nor who acts for the patient.
    error PcacNotRequesterOrPatient(address caller);
    /// The caller is not the consortium, or was not offered its role.
    error PcacNotConsortium(address caller);
    /// The caller is not the desk in effect.
    error PcacNotDesk(address caller, address desk);
    /// The caller is not the successor of the pending change.
    error PcacNotSuccessor(address caller, address successor);
    /// The caller did not attest the image.
    error PcacNotAttester(address caller);
    /// The acting key, a delegate, or the desk cannot give to himself.
    error PcacOwnRequest(address caller);
    /// No such image is registered.
    error PcacUnknownImage(bytes32 image);
    /// The image is registered already.
    error PcacImageTaken(bytes32 image, address owner);
    /// The image belongs to another patient than the one named.
    error PcacWrongOwner(bytes32 image, address wanted, address owner);
    /// The image is withdrawn (1), retracted (2) or both.
    error PcacWithdrawn(bytes32 image, uint8 flags);
    /// The attestation is not the radiologist's signature over this image, patient, seal and what it replaces, or is too long.
    error PcacBadAttestation(address radiologist);
    /// The radiologist is not accredited, or no longer.
    error PcacNotAccredited(address radiologist);
    /// No such status, or not from the one before, or an end that is none.
    error PcacBadStatus(uint8 status, uint64 since);
    /// The requestor has no open request.
    error PcacNoRequest(address requester, bytes32 image);
    /// The requestor has no approval in force.
    error PcacNotApproved(address requester, bytes32 image);
    /// What is open, or in force, is not what was decided on: that is what was found.
    error PcacRequestChanged(uint64 at, bytes16 publicKey, bytes10 notesDigest);
    /// The round is another: the state was changed since.
    error PcacRoundChanged(uint32 wanted, uint32 round);
    /// The chain's clock has not moved on since the decision before.
    error PcacTooSoon(uint64 retryAt);
    /// The patient cannot request his own image.
    error PcacOwnImage();
    /// The window's approvals are used up until `retryAt`.
    error PcacApprovalLimitReached(uint32 limit, uint64 retryAt);
    /// A limit of 2^24 or more, or a limit without a window.
    error PcacBadLimit(uint32 approvals, uint32 windowSeconds);
    /// An end that is not in the future, or later than `latest`.
    error PcacBadExpiry(uint64 expiresAt, uint64 now, uint64 latest);
    /// Hours outside of their range.
    error PcacBadHours(uint16 found, uint16 least, uint16 most);
    /// The account is locked.
    error PcacLocked(address patient, uint64 until);
    /// Another change is pending.
    error PcacPending(uint8 kind, uint64 ripe);
    /// Nothing is pending.
    error PcacNothingPending(address patient);
    /// The pending change is not ripe.
    error PcacNotRipe(uint64 ripe, uint64 now);
    /// The successor acts already, or a lock was asked for him.
    error PcacBadSuccessor(address successor);
    /// The guardians, threshold and salt are not those that were committed to, or cannot do this.
    error PcacBadGuardians(bytes24 commitment, bytes24 found);
    /// Fewer guardians signed than the threshold.
    error PcacTooFewGuardians(uint256 signed, uint256 threshold);
    /// There is no predecessor.
    error PcacNoPredecessor();
    /// The predecessor does not answer as it should.
    error PcacPredecessorFailed(address predecessor);
    /// A text longer than `max` bytes.
    error PcacTextTooLong(uint256 length, uint256 max);
    /// An argument is zero that must not be; `argument` is its position, counted from 0.
    error PcacZero(uint8 argument);
    /// A signed call after its deadline, or a recovery whose deadline is too far ahead.
    error PcacExpired(uint64 deadline, uint64 now);
    /// A signed call whose nonce is used or void.
    error PcacBadNonce(address signer, uint256 nonce);
    /// Not the signer's signature over this call, nonce and deadline, or a signature that is too long.
    error PcacBadSignature(address signer);
    /// A call that may not be inside of another: a relay or a batch, and in a relay also one that cannot be relayed.
    error PcacNested(bytes4 selector);
}
