use super::*;

use proptest::prelude::*;

const STREAMS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="/styles/Streams.xsl"?>
<MTConnectStreams xmlns:m="urn:mtconnect.org:MTConnectStreams:2.3" xmlns="urn:mtconnect.org:MTConnectStreams:2.3">
 <Header creationTime="2026-11-26T06:30:00Z" sender="a" instanceId="18446744073709551615" version="2.3.0.1"
   bufferSize="131072" firstSequence="1" lastSequence="90" nextSequence="91"/>
 <Streams><DeviceStream name="mill" uuid="u1">
  <ComponentStream component="Linear" name="X" componentId="x">
   <Samples>
    <Position dataItemId="xp" timestamp="2026-11-26T06:29:59.123456Z" sequence="88" subType="ACTUAL"> 12.5 </Position>
    <Position dataItemId="other" timestamp="2026-11-26T06:29:59Z" sequence="87">1</Position>
    <VoltageTimeSeries dataItemId="v" timestamp="2026-11-26T06:29:58" sequence="80" sampleCount="3" sampleRate="100">1 2.5 -3</VoltageTimeSeries>
   </Samples>
   <Events><Message dataItemId="msg" sequence="79" timestamp="2026-11-26T06:29:57Z" nativeCode="M7">切削液 &lt; 10 %</Message>
    <VariableDataSet dataItemId="vars" sequence="78" timestamp="2026-11-26T06:29:56Z" count="2" resetTriggered="NEW">
     <Entry key="a">1.5</Entry><Entry key="b" removed="true"/></VariableDataSet>
    <WorkOffsetTable dataItemId="wo" sequence="77" timestamp="2026-11-26T06:29:56Z" count="1">
     <Entry key="G54"><Cell key="X">1</Cell><Cell key="Y">2</Cell></Entry></WorkOffsetTable>
   </Events>
   <Condition>
    <Fault dataItemId="c" sequence="76" timestamp="2026-11-26T06:29:55Z" type="SYSTEM" nativeCode="4101" qualifier="HIGH">Spindle overload</Fault>
    <Normal dataItemId="c2" sequence="75" timestamp="2026-11-26T06:29:55Z" type="SYSTEM"/>
   </Condition>
  </ComponentStream></DeviceStream></Streams>
</MTConnectStreams>"#;

fn read(text: &str) -> Result<Document, XmlError> {
    parse(text.as_bytes(), &|id| id != "other")
}

#[test]
fn reads_all_kinds_of_observations() {
    let Document::Streams(header, found) = read(STREAMS).unwrap() else { panic!("streams") };
    assert_eq!((header.instance, header.first, header.last, header.next), (u64::MAX, 1, 90, 91));
    assert_eq!(header.created, Timestamp::parse("2026-11-26T06:30:00Z").ok());
    let items: Vec<_> = found.iter().map(|o| (o.item.as_str(), o.sequence)).collect();
    let expected =
        [("xp", 88), ("v", 80), ("msg", 79), ("vars", 78), ("wo", 77), ("c", 76), ("c2", 75)];
    assert_eq!(items, expected);
    assert_eq!(found[0].text, "12.5");
    assert_eq!(found[0].time, Timestamp::parse("2026-11-26T06:29:59.123456Z").ok());
    assert_eq!(found[1].text, "1 2.5 -3");
    assert_eq!(found[1].time, Timestamp::parse("2026-11-26T06:29:58Z").ok());
    assert_eq!(found[2].text, "切削液 < 10 %");
    assert!(found[3].is_reset && !found[4].is_reset);
    let entries = [("a".to_owned(), Some(Cells::Text("1.5".into()))), ("b".to_owned(), None)];
    assert_eq!(found[3].entries, entries);
    let row = vec![("X".to_owned(), "1".to_owned()), ("Y".to_owned(), "2".to_owned())];
    assert_eq!(found[4].entries, [("G54".to_owned(), Some(Cells::Row(row)))]);
    assert!(found[5].is_condition && !found[4].is_condition);
    let fault = (found[5].element.as_str(), found[5].native_code.as_str(), found[5].text.as_str());
    assert_eq!(fault, ("Fault", "4101", "Spindle overload"));
}

#[test]
fn reads_errors_of_old_and_new_versions() {
    let range = |text: &str| {
        let Document::Errors(errors) = read(text).unwrap() else { panic!("errors") };
        assert_eq!(errors.len(), 1, "{text}");
        assert_eq!(errors[0].code, "OUT_OF_RANGE");
        assert_eq!(errors[0].text, "'from' must be greater than 7");
    };
    range(
        "<MTConnectError><Header/><Errors><Error errorCode='OUT_OF_RANGE'>'from' must be greater than 7</Error></Errors></MTConnectError>",
    );
    range(
        "<MTConnectError><Header/><Error errorCode='OUT_OF_RANGE'>'from' must be greater than 7</Error></MTConnectError>",
    );
    range(
        "<MTConnectError><Header/><Errors><OutOfRange errorCode='OUT_OF_RANGE'><URI/><ErrorMessage>'from' must be\n greater than 7</ErrorMessage></OutOfRange></Errors></MTConnectError>",
    );
}

#[test]
fn tells_what_is_missing() {
    let cut = &STREAMS[..STREAMS.len() / 2];
    assert!(read(cut).is_err());
    assert!(
        read("<html><body>It works!</body></html>").unwrap_err().to_string().contains("not html")
    );
    let headless = "<MTConnectStreams><Streams/></MTConnectStreams>";
    assert_eq!(read(headless).unwrap_err().to_string(), "the document has no header");
    let header = "<MTConnectStreams><Header instanceId='1' firstSequence='x'/></MTConnectStreams>";
    assert_eq!(read(header).unwrap_err().to_string(), "the header has no firstSequence");
    let many = "<Entry key='k'/>".repeat(ENTRIES_MAX + 1);
    let many = format!(
        "<MTConnectStreams><Samples><X dataItemId='x'>{many}</X></Samples></MTConnectStreams>"
    );
    assert!(read(&many).unwrap_err().to_string().contains("entries"));
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &|_| true);
    }

    #[test]
    fn damaged_documents_end_without_a_panic(at in 0..STREAMS.len(), cut in 0..STREAMS.len(), byte in any::<u8>()) {
        let mut bytes = STREAMS.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse(&bytes, &|_| true);
        let _ = parse(&bytes[..cut], &|_| true);
    }
}
