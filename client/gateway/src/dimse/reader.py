"""pynetdicom as a reader: searches at each level, retrieves on its own association, cancels on the way.

reader.py PORT"""

import sys

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

port = int(sys.argv[1])


def keys(level, **more):
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for name, value in more.items():
        setattr(identifier, name, value)
    return identifier


ae = AE(ae_title="READER")
for model in [PatientRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelFind]:
    ae.add_requested_context(model)
ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
ae.add_requested_context(CTImageStorage)
received = []


def keep(event):
    received.append(event.dataset.SOPInstanceUID)
    if cancelled:
        event.assoc.send_c_cancel(1, query_model=StudyRootQueryRetrieveInformationModelGet)
    return 0x0000


cancelled = False
role = build_role(CTImageStorage, scp_role=True)
association = ae.associate(
    "127.0.0.1", port, ae_title="PCIM", ext_neg=[role], evt_handlers=[(evt.EVT_C_STORE, keep)]
)
assert association.is_established


def find(identifier, model=StudyRootQueryRetrieveInformationModelFind):
    answers = list(association.send_c_find(identifier, model))
    assert answers[-1][0].Status == 0x0000, answers[-1]
    assert all(status.Status == 0xFF00 for status, _ in answers[:-1]), answers
    return [found for _, found in answers[:-1]]


(patient,) = find(keys("PATIENT", PatientID="", PatientName="Doe*"), PatientRootQueryRetrieveInformationModelFind)
assert patient.PatientID == "12345678" and patient.RetrieveAETitle == "PCIM", patient
(study,) = find(keys("STUDY", StudyInstanceUID="", PatientID="12345678", NumberOfStudyRelatedInstances=""))
assert study.NumberOfStudyRelatedInstances == 120, study
instances = find(keys("IMAGE", StudyInstanceUID=study.StudyInstanceUID, SOPInstanceUID=""))
assert len({it.SOPInstanceUID for it in instances}) == 120

answers = list(
    association.send_c_get(
        keys("STUDY", StudyInstanceUID=study.StudyInstanceUID), StudyRootQueryRetrieveInformationModelGet, msg_id=1
    )
)
last = answers[-1][0]
assert last.Status == 0x0000 and last.NumberOfCompletedSuboperations == 120, last
assert len(set(received)) == 120

cancelled, before = True, len(received)
answers = list(
    association.send_c_get(
        keys("STUDY", StudyInstanceUID=study.StudyInstanceUID), StudyRootQueryRetrieveInformationModelGet, msg_id=1
    )
)
last = answers[-1][0]
assert last.Status == 0xFE00, last
assert len(received) - before < 120, len(received)
association.release()
print(f"{len(instances)} instances found and got; cancelled after {len(received) - before}")
