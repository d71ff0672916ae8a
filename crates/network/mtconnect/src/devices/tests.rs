use super::*;

use proptest::prelude::*;

const DEVICES: &str = r#"<MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:2.0">
 <Header creationTime="2026-11-26T06:30:00Z" sender="a" instanceId="7" version="2.0.0.12" bufferSize="8"/>
 <Devices>
  <Agent id="agent" name="Agent" uuid="ua"><DataItems><DataItem id="avail_a" type="AVAILABILITY" category="EVENT"/></DataItems></Agent>
  <Device id="d1" name="mill" uuid="u1">
   <Description manufacturer="M">five
     axes</Description>
   <Configuration><DataItem id="no"/></Configuration>
   <DataItems><DataItem id="avail" name="avail" type="AVAILABILITY" category="EVENT"/></DataItems>
   <Components>
    <Axes id="ax"><Components><Linear id="x" name="X">
      <DataItems>
       <DataItem id="xp" name="Xact" type="POSITION" subType="ACTUAL" category="SAMPLE" units="MILLIMETER">
        <Source>adapter</Source><Constraints><Minimum>0</Minimum></Constraints></DataItem>
       <DataItem id="xv" type="VOLTAGE" category="SAMPLE" representation="TIME_SERIES" units="VOLT" statistic="AVERAGE"/>
       <DataItem id="pp" type="PATH_POSITION" category="SAMPLE" units="MILLIMETER_3D"/>
       <DataItem id="xc" type="POSITION" category="CONDITION"/>
       <DataItem id="tab" type="WORK_OFFSET" category="EVENT" representation="TABLE"/>
      </DataItems></Linear></Components></Axes>
   </Components>
  </Device>
  <Device id="d2" name="lathe" uuid="u2"><DataItems><DataItem id="avail2" name="avail" type="AVAILABILITY" category="EVENT"/></DataItems></Device>
 </Devices></MTConnectDevices>"#;

fn read(text: &str) -> Model {
    match parse(text.as_bytes()).unwrap() {
        Probed::Model(model) => *model,
        Probed::Errors(errors) => panic!("{errors:?}"),
    }
}

fn at(data_item: &str, device: Option<&str>) -> PointAddress {
    let part = crate::Part::All;
    PointAddress { data_item: data_item.into(), device: device.map(str::to_owned), part }
}

#[test]
fn reads_devices_components_and_data_items() {
    let model = read(DEVICES);
    assert_eq!((model.version.as_str(), model.instance), ("2.0.0.12", 7));
    let devices: Vec<_> =
        model.devices().map(|(_, d)| (d.kind.as_str(), d.name.as_str())).collect();
    assert_eq!(devices, [("Agent", "Agent"), ("Device", "mill"), ("Device", "lathe")]);
    let mill = &model.nodes[1];
    assert_eq!((mill.uuid.as_str(), mill.description.as_str()), ("u1", "five axes"));
    let ids: Vec<_> = model.items.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["avail_a", "avail", "xp", "xv", "pp", "xc", "tab", "avail2"]);
    let item = |id: &str| model.find(&at(id, None)).unwrap();
    assert_eq!(item("xp").about(), "SAMPLE POSITION ACTUAL");
    assert_eq!((item("xp").title(), item("xv").title()), ("Xact".into(), "VOLTAGE AVERAGE".into()));
    assert_eq!(item("xv").representation, Representation::TimeSeries);
    assert_eq!(item("tab").representation, Representation::DataSet);
    assert_eq!(item("xc").category, Category::Condition);
    assert!(item("xv").is_array() && item("pp").is_array() && !item("xp").is_array());
    let linear = &model.nodes[item("xp").node];
    assert_eq!((linear.kind.as_str(), linear.name.as_str()), ("Linear", "X"));
    assert_eq!(model.device_of(item("xp")).map(|d| d.name.as_str()), Some("mill"));
}

#[test]
fn finds_by_id_and_by_name() {
    let model = read(DEVICES);
    assert_eq!(model.find(&at("Xact", None)).unwrap().id, "xp");
    assert_eq!(model.find(&at("avail", None)).unwrap().id, "avail", "the id comes first");
    assert_eq!(model.find(&at("avail", Some("lathe"))).unwrap().id, "avail2");
    assert_eq!(model.find(&at("avail", Some("u1"))).unwrap().id, "avail");
    let error = model.find(&at("nothing", Some("mill"))).unwrap_err();
    assert!(error.contains("no data item \"nothing\" of device mill"), "{error}");
    let twice = DEVICES.replace("id=\"avail\"", "id=\"avail1\"");
    let error = read(&twice).find(&at("avail", None)).unwrap_err();
    assert!(error.contains("several data items"), "{error}");
}

#[test]
fn errors_and_other_documents() {
    let error =
        "<MTConnectError><Errors><Error errorCode='NO_DEVICE'>x</Error></Errors></MTConnectError>";
    let Probed::Errors(errors) = parse(error.as_bytes()).unwrap() else { panic!("errors") };
    assert_eq!(errors[0].code, "NO_DEVICE");
    assert!(parse(b"<html/>").unwrap_err().to_string().contains("not html"));
}

proptest! {
    #[test]
    fn damaged_documents_end_without_a_panic(at in 0..DEVICES.len(), cut in 0..DEVICES.len(), byte in any::<u8>()) {
        let mut bytes = DEVICES.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse(&bytes);
        let _ = parse(&bytes[..cut]);
    }
}
