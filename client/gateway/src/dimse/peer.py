"""pynetdicom as a sender: every storage class that it knows, an object in several transfer syntaxes, storage commitment.

peer.py PORT FILE"""

import sys
import time

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

port, path = int(sys.argv[1]), sys.argv[2]


def associate(contexts, handlers=()):
    ae = AE(ae_title="PYNETDICOM")
    ae.requested_contexts = contexts
    association = ae.associate("127.0.0.1", port, ae_title="PCIM", evt_handlers=list(handlers))
    assert association.is_established
    return association


# Every storage class, in parts: an association has 128 contexts at most.
classes = [context.abstract_syntax for context in AllStoragePresentationContexts]
for start in range(0, len(classes), 100):
    association = associate([build_context(it) for it in classes[start : start + 100]])
    refused = [it.abstract_syntax for it in association.rejected_contexts]
    assert not refused, refused
    association.release()

# The same bytes of pixels in other transfer syntaxes, each an instance of its own; one that is proposed alone is taken as it is.
data_set = dcmread(path)
sent = []
for syntax in ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]:
    data_set.SOPInstanceUID = generate_uid()
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    data_set.set_original_encoding(UID(syntax).is_implicit_VR, UID(syntax).is_little_endian)
    association = associate([build_context(data_set.SOPClassUID, syntax)])
    status = association.send_c_store(data_set)
    assert status and status.Status == 0, (syntax, status)
    association.release()
    sent.append((data_set.SOPClassUID, data_set.SOPInstanceUID))

# Commitment: the report comes on the same association.
reports = []


def report(event):
    reports.append((event.event_type, event.event_information))
    return 0x0000, None


handlers = [(evt.EVT_N_EVENT_REPORT, report)]
association = associate([build_context(StorageCommitmentPushModel)], handlers)
request = Dataset()
request.TransactionUID = generate_uid()
request.ReferencedSOPSequence = []
for sop_class, instance in sent:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    request.ReferencedSOPSequence.append(item)
status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
assert status.Status == 0, status
for _ in range(100):
    if reports:
        break
    time.sleep(0.1)
association.release()
(kind, information), = reports
assert kind == 1 and information.TransactionUID == request.TransactionUID
assert len(information.ReferencedSOPSequence) == len(sent), information
print(f"{len(classes)} classes, {len(sent)} transfer syntaxes, commitment: good")
