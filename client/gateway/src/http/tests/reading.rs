//! Searching and retrieving: each status, each form, and readers that do not read.

use std::collections::HashMap;

use http_body_util::{BodyExt, Empty};
use pcim_dicom::Listing;

use super::*;
use crate::catalogue::standing::{openable, stand};
use crate::catalogue::{Listed, Refusal};

const READER: &str = "Bearer r3ader";
const STUDY: &str = "/studies/2.25.2";
const SERIES: &str = "/studies/2.25.2/series/2.25.3";
const FIRST: &str = "/studies/2.25.2/series/2.25.3/instances/2.25.1000001";

/// An answer.
struct Read {
    status: u16,
    headers: HeaderMap,
    /// As far as it came.
    body: Vec<u8>,
    broke_off: bool,
}

impl Read {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn kind(&self) -> &str {
        self.headers["content-type"].to_str().unwrap()
    }

    /// The contents of the parts, each with its headers.
    fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let (_, boundary) = multipart::media_type(self.kind(), "boundary");
        let mark = format!("--{}", boundary.unwrap());
        let ends: Vec<usize> = memchr::memmem::find_iter(&self.body, &mark).collect();
        let parts = ends.windows(2).map(|pair| {
            let part = &self.body[pair[0] + mark.len() + 2..pair[1] - 2];
            let end = memchr::memmem::find(part, b"\r\n\r\n").unwrap();
            let head = String::from_utf8(part[..end].to_vec()).unwrap();
            (head, part[end + 4..].to_vec())
        });
        parts.collect()
    }
}

impl Open {
    async fn get(&self, path: &str, accept: &str) -> Read {
        self.get_as(path, accept, READER).await
    }

    async fn get_as(&self, path: &str, accept: &str, token: &str) -> Read {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::get(path)
            .header("host", self.address.to_string())
            .header("authorization", token);
        if !accept.is_empty() {
            request = request.header("accept", accept);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let (head, mut body) = answer.into_parts();
        let (mut bytes, mut broke_off) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend(frame.into_data().unwrap()),
                Err(_) => broke_off = true,
            }
        }
        drop(sender);
        let _ = connection.await;
        Read {
            status: head.status.as_u16(),
            headers: head.headers,
            body: bytes,
            broke_off,
        }
    }

    /// Lists files as images, one of each, and answers requests to open them; returns the files.
    fn serve(&mut self, sizes: &[u64], outcome: fn(u8) -> Option<Refusal>) -> Vec<Vec<u8>> {
        let files: Vec<_> = (1..)
            .zip(sizes)
            .map(|(number, size)| self.file(number, *size))
            .collect();
        stand(&self.catalogue, self.asks.take().unwrap(), &files, outcome);
        files
    }
}

#[tokio::test]
async fn studies_are_searched() {
    let mut open = Open::new(1 << 30).await;
    open.serve(&[3000, 4000, 5000], |_| None);
    let studies = open
        .get("/studies?PatientName=DOE*", "application/dicom+json")
        .await;
    assert_eq!(
        (studies.status, studies.kind()),
        (200, "application/dicom+json")
    );
    let (studies, address) = (studies.json(), open.address);
    assert_eq!(studies.as_array().unwrap().len(), 1);
    assert_eq!(studies[0]["00201208"]["Value"][0], 3);
    assert_eq!(
        studies[0]["00081190"]["Value"][0],
        format!("http://{address}{STUDY}")
    );
    let series = open.get(&format!("{STUDY}/series"), "").await.json();
    assert_eq!(series[0]["00201209"]["Value"][0], 3);
    let page = open.get("/instances?limit=2&fuzzymatching=true", "").await;
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    let warnings: Vec<_> = page
        .headers
        .get_all("warning")
        .iter()
        .map(|it| it.to_str().unwrap())
        .collect();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[1].contains("1 additional results"), "{warnings:?}");
    let instances = open.get(&format!("{SERIES}/instances?Rows=1"), "").await;
    assert_eq!(instances.json()[2]["00080018"]["Value"][0], "2.25.1000003");
    assert_eq!(open.get("/studies?PatientID=none", "").await.status, 204);
    assert_eq!(open.get("/studies/1.2/series", "").await.status, 204);
    for (path, accept, token, status) in [
        ("/studies?nonsense=1", "", READER, 400),
        ("/studies", "application/dicom+xml", READER, 406),
        ("/studies", "", "Bearer s3cret", 403),
        ("/studies", "", "Bearer other", 401),
        ("/patients", "", READER, 404),
    ] {
        let read = open.get_as(path, accept, token).await;
        assert_eq!(read.status, status, "{path} {}", read.text());
    }
    // What may be opened no more is found no more.
    open.catalogue.level(&[openable(2, 1)]);
    let left = open.get("/instances", "").await.json();
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["00080018"]["Value"][0], "2.25.1000002");
}

#[tokio::test]
async fn studies_are_resources_of_fhir() {
    let mut open = Open::new(1 << 30).await;
    open.serve(&[3000, 4000], |_| None);
    for (release, modality) in [
        ("r4", "/modality/0/code"),
        ("r5", "/modality/0/coding/0/code"),
    ] {
        let path = format!("/fhir/{release}/ImagingStudy");
        let read = open.get(&format!("{path}/2.25.2"), "").await;
        assert_eq!((read.status, read.kind()), (200, "application/fhir+json"));
        let study = read.json();
        assert_eq!(study["numberOfInstances"], 2);
        assert_eq!(study.pointer(modality).unwrap(), "CT");
        assert_eq!(
            study["contained"][0]["address"],
            format!("http://{}", open.address)
        );
        let found = open
            .get(
                &format!("{path}?identifier=urn:oid:2.25.2"),
                "application/json",
            )
            .await;
        assert_eq!(found.json()["entry"][0]["resource"], study);
        assert_eq!(
            open.get(&format!("{path}?identifier=urn:oid:1.2"), "")
                .await
                .json()["total"],
            0
        );
    }
    for (path, accept, token, status) in [
        ("/fhir/r4/ImagingStudy/1.2", "", READER, 404),
        ("/fhir/r4/ImagingStudy?patient=1", "", READER, 400),
        ("/fhir/r4/ImagingStudy", "application/fhir+xml", READER, 406),
        ("/fhir/r4/Patient", "", READER, 404),
        ("/fhir/r4/ImagingStudy", "", "Bearer s3cret", 403),
    ] {
        let read = open.get_as(path, accept, token).await;
        assert_eq!(read.status, status, "{path} {}", read.text());
    }
    open.catalogue.level(&[]);
    assert_eq!(
        open.get("/fhir/r4/ImagingStudy/2.25.2", "").await.status,
        404
    );
}

#[tokio::test]
async fn instances_are_retrieved_as_they_were_sealed() {
    let mut open = Open::new(1 << 30).await;
    let files = open.serve(&[3000, 2_000_000, 5000], |_| None);
    for path in [STUDY, SERIES] {
        let read = open.get(path, "").await;
        assert_eq!(read.status, 200, "{}", read.text());
        let parts = read.parts();
        assert_eq!(parts.len(), 3);
        for ((head, content), file) in parts.iter().zip(&files) {
            assert!(
                head.contains("application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
                "{head}"
            );
            assert!(content == file);
        }
        assert!(
            parts[0]
                .0
                .contains(&format!("Content-Location: http://{}{FIRST}", open.address))
        );
    }
    let one = open.get(FIRST, "application/dicom").await;
    assert_eq!(
        one.kind(),
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    );
    assert!(one.body == files[0]);

    let metadata = open.get(&format!("{SERIES}/metadata"), "").await.json();
    assert_eq!(metadata.as_array().unwrap().len(), 3);
    assert_eq!(metadata[2]["00080018"]["Value"][0], "2.25.1000003");
    let address = metadata[0]["7FE00010"]["BulkDataURI"].as_str().unwrap();
    let path = address
        .strip_prefix(&format!("http://{}", open.address))
        .unwrap();
    let pixels = open.get(path, "application/octet-stream").await;
    assert!(files[0].ends_with(&pixels.body) && pixels.body.len() > 2000);

    let frames = open.get(&format!("{FIRST}/frames/2,1"), "").await.parts();
    assert_eq!(frames[0].1, pixels.body[2..4]);
    assert_eq!(frames[1].1, pixels.body[..2]);
    let single = open
        .get(&format!("{FIRST}/frames/2"), "application/octet-stream")
        .await;
    assert_eq!(single.body, pixels.body[2..4]);
    for path in [
        "rendered?window=40,400,linear&viewport=8,8",
        "frames/3/rendered",
    ] {
        let picture = open.get(&format!("{FIRST}/{path}"), "image/*").await;
        assert_eq!((picture.status, picture.kind()), (200, "image/png"));
        assert!(picture.body.starts_with(b"\x89PNG"));
    }
    let dicom = "multipart/related; type=\"application/dicom\"; transfer-syntax=";
    for (path, accept, status) in [
        (STUDY, "application/dicom", 406),
        (STUDY, &*format!("{dicom}1.2.840.10008.1.2.4.80"), 406),
        (FIRST, &format!("{dicom}1.2.840.10008.1.2.1"), 200),
        (FIRST, &format!("{dicom}1.2.840.10008.1.2.4.80"), 406),
        (&format!("{STUDY}/metadata"), "text/html", 406),
        (&format!("{FIRST}/frames/1"), "image/jpeg", 406),
        (&format!("{FIRST}/frames/100000"), "", 404),
        (&format!("{FIRST}/frames/100000/rendered"), "", 404),
        (&format!("{FIRST}/rendered"), "image/jpeg", 406),
        (&format!("{FIRST}/rendered?window=1,0"), "", 400),
        (&format!("{FIRST}/bulkdata/00091001"), "", 404),
        ("/studies/1.2", "", 404),
        (&format!("{STUDY}/series/1.2"), "", 404),
        (&format!("{SERIES}/instances/1.2/metadata"), "", 404),
    ] {
        let read = open.get(path, accept).await;
        assert_eq!(read.status, status, "{path} {accept} {}", read.text());
    }
}

#[tokio::test]
async fn reasons_are_given_for_what_is_not_opened() {
    let mut open = Open::new(1 << 30).await;
    open.serve(&[3000; 5], |number| {
        let why = "the approval ended".to_owned();
        match number {
            1 => Some(Refusal::Ended(why)),
            2 => Some(Refusal::TooLarge(why)),
            3 => Some(Refusal::Unreachable(why)),
            4 => Some(Refusal::Failed(why)),
            _ => None,
        }
    });
    for (number, status) in [(1, 403), (2, 413), (3, 503), (4, 500), (5, 200)] {
        let path = format!("{SERIES}/instances/2.25.{}", 1_000_000 + number);
        let read = open.get(&path, "").await;
        assert_eq!(read.status, status, "{}", read.text());
        assert!(status == 200 || read.text().contains("the approval ended"));
    }
    // Of a study there comes what may be opened.
    assert_eq!(open.get(STUDY, "").await.parts().len(), 1);
    // One whose access is known to have ended is asked for all the same: the chain says why.
    open.catalogue.level(&[]);
    assert_eq!(open.get("/studies", "").await.status, 204);
    assert_eq!(
        open.get(&format!("{SERIES}/instances/2.25.1000001"), "")
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn a_study_of_another_patient_does_not_come_under_the_same_uid() {
    let mut open = Open::new(1 << 30).await;
    let files = open.serve(&[3000], |_| None);
    let listed = || Listed {
        listing: Listing::of_file(&files[0]).unwrap(),
        numbers: HashMap::new(),
    };
    assert!(!open.catalogue.add(&openable(9, 2), listed()));
    assert!(open.catalogue.add(&openable(8, 1), listed()));
    assert_eq!(open.catalogue.studies(), 1);
}

#[tokio::test]
async fn readers_that_do_not_read_are_left() {
    let mut open = Open::new(1 << 30).await;
    // More than the kernel's buffers take.
    open.serve(&[8 << 20, 8 << 20, 8 << 20], |_| None);
    let mut idle = TcpStream::connect(open.address).await.unwrap();
    let request = format!(
        "GET {STUDY} HTTP/1.1\r\nHost: {}\r\nAuthorization: {READER}\r\n\r\n",
        open.address
    );
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    idle.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    // What is held for it comes back when it is left.
    let room = open.catalogue.room_for(1 << 30);
    let room = tokio::time::timeout(Duration::from_secs(20), room)
        .await
        .expect("the room is not given back");
    drop(room.unwrap());
    let mut rest = Vec::new();
    let read = idle.read_to_end(&mut rest).await;
    assert!(read.is_err() || rest.len() < 24 << 20);
    // Another reads on.
    let read = open.get(STUDY, "").await;
    assert!(!read.broke_off);
    assert_eq!(read.parts().len(), 3);
}
