"""dicomweb-client as a reader: every search and retrieval that it offers.

dicomweb.py URL TOKEN STUDIES"""

import sys

import requests
from dicomweb_client.api import DICOMwebClient
from fhir.resources.bundle import Bundle
from fhir.resources.imagingstudy import ImagingStudy
from fhir.resources.R4B.bundle import Bundle as BundleR4
from fhir.resources.R4B.imagingstudy import ImagingStudy as ImagingStudyR4

url, token, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = DICOMwebClient(url, headers={"Authorization": f"Bearer {token}"})


def value(item, tag):
    return item[tag]["Value"][0]


def refused(status, work):
    try:
        work()
    except requests.HTTPError as error:
        assert error.response.status_code == status, error
    else:
        raise AssertionError(f"not refused, wanted {status}")


studies = client.search_for_studies(fields=["StudyDescription"])
assert len(studies) == wanted, studies
pages = [client.search_for_studies(limit=1, offset=page) for page in range(wanted + 1)]
assert [len(page) for page in pages] == [1] * wanted + [0], pages
assert [page[0] for page in pages[:wanted]] == studies

study = max(studies, key=lambda it: value(it, "00201208"))
study_uid = value(study, "0020000D")
by_id = client.search_for_studies(search_filters={"PatientID": value(study, "00100020")[:-1] + "*", "ModalitiesInStudy": "CT"})
assert study_uid in [value(it, "0020000D") for it in by_id], by_id
assert not client.search_for_studies(search_filters={"PatientID": "nobody"})
refused(400, lambda: client.search_for_studies(search_filters={"StudyDate": "May"}))

series = client.search_for_series(study_uid)
assert sorted(value(it, "00080060") for it in series) == ["CT", "KO"], series
series_uid = next(value(it, "0020000E") for it in series if value(it, "00080060") == "CT")
instances = client.search_for_instances(study_uid, series_uid)
assert len(instances) == 4, instances
assert len(client.search_for_instances(study_uid)) == 5
assert len(client.search_for_series(search_filters={"Modality": "CT"}, fields=["PatientName"])) >= 1

instance_uid = value(instances[0], "00080018")
metadata = client.retrieve_instance_metadata(study_uid, series_uid, instance_uid)
assert value(metadata, "00080018") == instance_uid
assert len(client.retrieve_series_metadata(study_uid, series_uid)) == 4
assert len(client.retrieve_study_metadata(study_uid)) == 5

whole = client.retrieve_study(study_uid)
assert sorted(it.Modality for it in whole) == ["CT"] * 4 + ["KO"]
manifest = next(it for it in whole if it.Modality == "KO")
assert manifest.ConceptNameCodeSequence[0].CodeMeaning == "Manifest with Description"
assert len(client.retrieve_series(study_uid, series_uid)) == 4
one = client.retrieve_instance(study_uid, series_uid, instance_uid)
assert one.SOPInstanceUID == instance_uid and one.PatientIdentityRemoved == "YES"
frames = client.retrieve_instance_frames(study_uid, series_uid, instance_uid, frame_numbers=[1, 2])
size = one.Rows * one.Columns * 2
assert frames == [one.PixelData[:size], one.PixelData[size : 2 * size]]
pixels = client.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"])
assert pixels == [one.PixelData], [len(it) for it in pixels]
picture = client.retrieve_instance_rendered(study_uid, series_uid, instance_uid, media_types=("image/png",))
assert picture.startswith(b"\x89PNG")
picture = client.retrieve_instance_frames_rendered(study_uid, series_uid, instance_uid, frame_numbers=[2], media_types=("image/png",))
assert picture.startswith(b"\x89PNG")

for release, resource, found in [("r4", ImagingStudyR4, BundleR4), ("r5", ImagingStudy, Bundle)]:
    base = f"{url}/fhir/{release}/ImagingStudy"
    headers = {"Authorization": f"Bearer {token}"}
    read = resource.model_validate_json(requests.get(f"{base}/{study_uid}", headers=headers, timeout=60).text)
    assert read.numberOfInstances == len(whole) and read.contained[0].address == url
    assert sorted(one.uid for it in read.series for one in it.instance) == sorted(it.SOPInstanceUID for it in whole)
    assert found.model_validate_json(requests.get(base, headers=headers, timeout=60).text).total == wanted

refused(404, lambda: client.retrieve_instance(study_uid, series_uid, "1.2.3"))
refused(404, lambda: client.retrieve_instance_frames(study_uid, series_uid, instance_uid, frame_numbers=[10**6]))
jpeg = (("image/jpeg", "1.2.840.10008.1.2.4.50"),)
refused(406, lambda: client.retrieve_instance_frames(study_uid, series_uid, instance_uid, frame_numbers=[1], media_types=jpeg))
stranger = DICOMwebClient(url, headers={"Authorization": "Bearer other"})
refused(401, stranger.search_for_studies)
print(f"dicomweb-client: {wanted} studies, one of {len(whole)} instances, good")
