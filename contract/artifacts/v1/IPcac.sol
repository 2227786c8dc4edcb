// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// Patient-centric access control for medical images. One deployment serves every patient and every image.
///
/// Digests (`image`, `publicKey`, `sharedImage`, `root`) are the sha2-256 multihash digests of CIDs, never zero.
/// Times are seconds since 1970 in the chain's clock. Text is UTF-8, at most 256 bytes, and not interpreted.
/// Checks come in this order and the first that fails speaks: decoding, zero arguments, text length,
/// unknown image, caller, owner arguments, state. No function takes value. Calldata that cannot be decoded (dirty
/// upper bytes of an address included) reverts with no data.
///
/// The constructor is `constructor(address consortium)`, never zero. It runs once and is called as
/// `stylus_constructor()` (0x5585258d) followed by the encoded argument.
interface IPcac {
    // ---- Algorithms 1 to 5 ----

    /// Registers the caller's own image. `attestation` is the accredited radiologist's EIP-712 signature over
    /// `ImageAttestation(bytes32 image, address patient, bytes32 seal)` in the domain `Pcac`/`1`/chainId/contract:
    /// 65 bytes r, s, v, or whatever ERC-1271 takes; at most 2048 bytes. Always true.
    function create_contract(bytes32 image, address patient, bytes32 seal, address radiologist, bytes calldata attestation, string calldata description) external returns (bool);

    /// Asks for access. True if the caller is authorized now (nothing changes, no event); otherwise opens a
    /// request, or updates the key of an open one, and returns false.
    function requesting_access(address patient, bytes32 image, bytes32 publicKey, string calldata notes) external returns (bool);

    /// Grants an open request until `expiresAt` (0: for good). False, and nothing changes, if already authorized.
    function approve_IRs(address requester, bytes32 image, bytes32 publicKey, bytes32 sharedImage, uint64 expiresAt, string calldata notes) external returns (bool);

    /// Denies an open request. False if there is none.
    function deny_IRs(address requester, bytes32 image, string calldata reason) external returns (bool);

    /// Records whether `requester` is authorized now, and returns it. For the requestor and the patient only.
    function trace_authorization(address patient, address requester, bytes32 image) external returns (bool);

    /// Ends a request or an approval, expired or not. False if there is neither.
    function remove_IRs(address requester, bytes32 image) external returns (bool);

    // ---- the patient's upkeep ----

    /// Replaces the shared image and the expiry of an approval that is in force. Always true.
    function reshare_IRs(address requester, bytes32 image, bytes32 sharedImage, uint64 expiresAt) external returns (bool);

    /// Announces the root of a new body for the image.
    function reseal_image(bytes32 image, bytes32 root) external;

    /// Allows `approvals` (below 2^24) in a window of `windowSeconds`; 0 approvals lifts the limit. Restarts the window.
    function set_approval_limit(bytes32 image, uint32 approvals, uint32 windowSeconds) external;

    // ---- the consortium ----

    /// Accredits a radiologist, or withdraws it.
    function accredit_radiologist(address radiologist, bool accredited) external;

    /// Hands the consortium's role over.
    function transfer_consortium(address to) external;

    // ---- for others, and many at once ----

    /// Does what `signer` signed: `call` is the calldata of one of the functions above, `signature` the EIP-712 signature
    /// over a struct named as the function, with its arguments in their order and then `address signer, uint64 nonce,
    /// uint64 deadline`, in the domain `Pcac`/`1`/chainId/contract: 65 bytes r, s, v with the lower s, or whatever ERC-1271 takes; at most
    /// 2048 bytes. `nonce` is the signer's next, `deadline` the last second. Returns what the call returns. Anyone may
    /// relay. A call that is refused leaves the nonce. A zero signer speaks before `call` is decoded.
    function relay(address signer, uint64 nonce, uint64 deadline, bytes calldata call, bytes calldata signature) external returns (bytes memory);

    /// Does the calls one after the other in the caller's name, all of them or none; returns what each returns.
    /// `relay` and `multicall` are not among them.
    function multicall(bytes[] calldata calls) external returns (bytes[] memory);

    // ---- views ----

    /// Returns true if `requester` may see the image now. Never reverts; false for an unknown image or a wrong patient.
    function is_authorized(address patient, address requester, bytes32 image) external view returns (bool);

    /// The image's record; all zero if unknown.
    function image_record(bytes32 image) external view returns (address patient, uint64 registeredAt, uint32 approvalLimit, uint32 windowSeconds);

    /// The requestor's standing: status 0 none, 1 requested, 2 approved, 3 denied, 4 removed; `publicKey` is the
    /// first half of the digest; `sharedImage` is zero unless the status is approved.
    function grant(bytes32 image, address requester) external view returns (uint8 status, uint64 requestedAt, uint64 decidedAt, uint64 expiresAt, bytes16 publicKey, bytes32 sharedImage);

    /// The account that accredits radiologists.
    function consortium() external view returns (address);

    /// Returns true if the radiologist is accredited now.
    function is_accredited(address radiologist) external view returns (bool);

    /// The nonce of the next call that the signer signs.
    function nonces(address signer) external view returns (uint64);

    /// The contract's version, which is that of its signing domain.
    function version() external view returns (string memory);

    /// The signing domain (ERC-5267).
    function eip712Domain() external view returns (bytes1 fields, string memory name, string memory version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] memory extensions);

    // ---- events ----

    /// An image was registered; `seal` is the SHA-256 of the radiologist's signature packet, `info` the description.
    event ContractCreated(address indexed patient, bytes32 indexed image, address indexed radiologist, bytes32 seal, string info);
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
    /// A request or an approval was ended.
    event UserRemoved(address indexed requester, address indexed patient, bytes32 indexed image, string info);
    /// An approval has a new shared image and expiry.
    event Reshared(address indexed requester, bytes32 indexed image, bytes32 sharedImage, uint64 expiresAt);
    /// The image has a new body.
    event ImageResealed(bytes32 indexed image, bytes32 root);
    /// The image's approval limit changed.
    event ApprovalLimitSet(bytes32 indexed image, uint32 approvals, uint32 windowSeconds);
    /// A radiologist was accredited, or no longer is.
    event RadiologistAccredited(address indexed radiologist, bool accredited);
    /// The consortium's role went over; `from` is zero at construction.
    event ConsortiumTransferred(address indexed from, address indexed to);

    // ---- errors ----

    /// The caller is not the image's patient.
    error PcacNotPatient(address caller, address patient);
    /// The caller is neither the requestor named nor the image's patient.
    error PcacNotRequesterOrPatient(address caller);
    /// The caller is not the consortium.
    error PcacNotConsortium(address caller);
    /// No such image is registered.
    error PcacUnknownImage(bytes32 image);
    /// The image is registered already.
    error PcacImageTaken(bytes32 image, address owner);
    /// The image belongs to another patient than the one named.
    error PcacWrongOwner(bytes32 image, address wanted, address owner);
    /// The attestation is not the radiologist's signature over this image, patient and seal, or is too long.
    error PcacBadAttestation(address radiologist);
    /// The radiologist is not accredited.
    error PcacNotAccredited(address radiologist);
    /// The requestor has no open request.
    error PcacNoRequest(address requester, bytes32 image);
    /// The requestor has no approval in force.
    error PcacNotApproved(address requester, bytes32 image);
    /// The key to approve is not the key that was requested.
    error PcacKeyChanged(bytes32 wanted, bytes16 requested);
    /// The patient cannot request his own image.
    error PcacOwnImage();
    /// The window's approvals are used up until `retryAt`.
    error PcacApprovalLimitReached(uint32 limit, uint64 retryAt);
    /// A limit of 2^24 or more, or a limit without a window.
    error PcacBadLimit(uint32 approvals, uint32 windowSeconds);
    /// An expiry that is not in the future, or 2^40 or later.
    error PcacBadExpiry(uint64 expiresAt, uint64 now);
    /// A text longer than `max` bytes.
    error PcacTextTooLong(uint256 length, uint256 max);
    /// An argument is zero that must not be; `argument` is its position, counted from 0.
    error PcacZero(uint8 argument);
    /// A signed call after its deadline.
    error PcacExpired(uint64 deadline, uint64 now);
    /// A signed call with another nonce than the signer's next, `next`.
    error PcacBadNonce(address signer, uint64 nonce, uint64 next);
    /// Not the signer's signature over this call, nonce and deadline, or a signature that is too long.
    error PcacBadSignature(address signer);
    /// A call that may not be inside of another: a relay or a batch, and in a relay also a view or what is unknown.
    error PcacNested(bytes4 selector);
}
