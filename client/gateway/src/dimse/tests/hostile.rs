use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn those_who_do_not_speak_or_speak_wrongly_are_cut_off() {
    let short = Duration::from_millis(300);
    let open = Open::with(|door| {
        door.timing.request = short;
        door.timing.idle = short;
        door.timing.stall = short;
    })
    .await;
    let ends = async |mut stream: TcpStream| {
        let mut rest = Vec::new();
        let reading = stream.read_to_end(&mut rest);
        let read = tokio::time::timeout(Duration::from_secs(10), reading).await;
        assert!(read.is_ok(), "it is not closed");
        rest
    };
    // Nothing at all; the start of a request; a PDU of 4 GiB; one that is none; another than a request.
    for start in [
        &b""[..],
        b"\x01\0\0\0\0\xff",
        b"\x01\0\xff\xff\xff\xff\0\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x04\0\0\0\0\x06\0\0\0\x02\x01\x03",
        b"\x05\0\0\0\0\x04\0\0\0\0",
    ] {
        let mut stream = TcpStream::connect(open.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        ends(stream).await;
    }
    // An association that goes silent, before and in the middle of an object.
    let mut association = open.associate(CT).await;
    assert!(matches!(
        association.receive().await,
        Ok(Pdu::AbortRQ { .. })
    ));
    let mut association = open.associate(CT).await;
    let context = association.presentation_contexts()[0].id;
    let data = data_set(&open.files(1, 100_000)[0]);
    let command = Command::request(field::C_STORE, 1, CT, Some("2.25.1000000"));
    for pdu in message(context, &command, &data, false) {
        association.send(&pdu).await.unwrap();
    }
    assert!(matches!(
        association.receive().await,
        Ok(Pdu::AbortRQ { .. })
    ));
    // A context that was not accepted; data without a command; a command in the middle of data.
    for wrong in 0..3 {
        let mut association = open.associate(CT).await;
        let command = Command::request(field::C_STORE, 1, CT, Some("2.25.1000000"));
        let pdus = match wrong {
            0 => message(context + 2, &command, &data, true),
            1 => message(context, &command, &data, true).split_off(1),
            _ => [
                message(context, &command, &data[..99], false),
                message(context, &command, b"", true),
            ]
            .concat(),
        };
        for pdu in pdus {
            // It may be cut off before the last.
            let _ = association.send(&pdu).await;
        }
        assert!(matches!(
            association.receive().await,
            Ok(Pdu::AbortRQ { .. }) | Err(_)
        ));
    }
    assert!(open.spool.numbers_of(|_| true).is_empty());
    assert_eq!(open.metrics.associations.get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_conversations_make_no_harm() {
    let open = Open::with(|door| {
        door.timing.request = Duration::from_millis(200);
        door.timing.idle = Duration::from_millis(200);
        door.timing.stall = Duration::from_millis(200);
    })
    .await;
    // A whole conversation: request, verification, an object, release.
    let request = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = ClientAssociationOptions::new().called_ae_title("PCIM");
        let options = options.with_presentation_context(CT, vec![EXPLICIT]);
        tokio::spawn(async move { options.establish_async(address).await.map(drop) });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 6];
        stream.read_exact(&mut head).await.unwrap();
        let mut rest = vec![0; u32::from_be_bytes([head[2], head[3], head[4], head[5]]) as usize];
        stream.read_exact(&mut rest).await.unwrap();
        [&head[..], &rest].concat()
    };
    let mut rest = Vec::new();
    let data = data_set(&open.files(1, 1500)[0]);
    let command = Command::request(field::C_STORE, 1, CT, Some("2.25.1000000"));
    for pdu in message(1, &command, &data, true) {
        dicom_ul::pdu::write_pdu(&mut rest, &pdu).unwrap();
    }
    dicom_ul::pdu::write_pdu(&mut rest, &Pdu::ReleaseRQ).unwrap();
    let whole = [request, rest].concat();
    let mut state = 0xfeed_5eed_0000_0001u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize
    };
    let mut talking = tokio::task::JoinSet::new();
    for _ in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=next() % 4 {
            // Heads are hit as often as the long data.
            let at = match next() % 2 {
                0 => next() % bytes.len(),
                _ => next() % bytes.len().min(700),
            };
            match next() % 3 {
                0 => bytes[at] = next() as u8,
                1 => bytes[at] ^= 1 << (next() % 8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let address = open.address;
        talking.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // It may be closed before the last byte.
            let _ = stream.write_all(&bytes).await;
            let mut rest = Vec::new();
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest));
            read.await.expect("it is not closed").ok();
        });
        if talking.len() > 40 {
            talking.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(talked) = talking.join_next().await {
        talked.unwrap();
    }
    let mut association = open.associate(CT).await;
    let taken = store(&mut association, "2.25.1000000", &data).await;
    assert!([status::SUCCESS, status::DUPLICATE_INSTANCE].contains(&taken));
    association.release().await.unwrap();
}
