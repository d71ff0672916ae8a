//! The structures of the standard that are met as values. Many servers do not define them, since everybody knows
//! them.

use opcua::types::{
    BuildInfo, ComplexNumberType, DoubleComplexNumberType, EUInformation, EnumValueType,
    ExtensionObject, Range, ServerStatusDataType, TimeZoneDataType, Variant, XVType,
};

type Fields = Vec<(String, Variant)>;

/// The fields of a structure, by the names of OPC 10000-5 and OPC 10000-8; none for others.
pub(super) fn fields(object: &ExtensionObject) -> Option<Fields> {
    let named = |fields: Vec<(&str, Variant)>| {
        Some(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    if let Some(range) = object.inner_as::<Range>() {
        return named(vec![("Low", range.low.into()), ("High", range.high.into())]);
    }
    if let Some(unit) = object.inner_as::<EUInformation>() {
        return named(vec![
            ("NamespaceUri", unit.namespace_uri.clone().into()),
            ("UnitId", unit.unit_id.into()),
            ("DisplayName", unit.display_name.clone().into()),
            ("Description", unit.description.clone().into()),
        ]);
    }
    if let Some(pair) = object.inner_as::<XVType>() {
        return named(vec![("X", pair.x.into()), ("Value", pair.value.into())]);
    }
    if let Some(number) = object.inner_as::<ComplexNumberType>() {
        return named(vec![("Real", number.real.into()), ("Imaginary", number.imaginary.into())]);
    }
    if let Some(number) = object.inner_as::<DoubleComplexNumberType>() {
        return named(vec![("Real", number.real.into()), ("Imaginary", number.imaginary.into())]);
    }
    if let Some(zone) = object.inner_as::<TimeZoneDataType>() {
        return named(vec![
            ("Offset", zone.offset.into()),
            ("DaylightSavingInOffset", zone.daylight_saving_in_offset.into()),
        ]);
    }
    if let Some(value) = object.inner_as::<EnumValueType>() {
        return named(vec![
            ("Value", value.value.into()),
            ("DisplayName", value.display_name.clone().into()),
            ("Description", value.description.clone().into()),
        ]);
    }
    if let Some(build) = object.inner_as::<BuildInfo>() {
        return named(vec![
            ("ProductUri", build.product_uri.clone().into()),
            ("ManufacturerName", build.manufacturer_name.clone().into()),
            ("ProductName", build.product_name.clone().into()),
            ("SoftwareVersion", build.software_version.clone().into()),
            ("BuildNumber", build.build_number.clone().into()),
            ("BuildDate", build.build_date.into()),
        ]);
    }
    let status = object.inner_as::<ServerStatusDataType>()?;
    named(vec![
        ("StartTime", status.start_time.into()),
        ("CurrentTime", status.current_time.into()),
        ("State", Variant::Int32(status.state as i32)),
        ("BuildInfo", ExtensionObject::from_message(status.build_info.clone()).into()),
        ("SecondsTillShutdown", status.seconds_till_shutdown.into()),
        ("ShutdownReason", status.shutdown_reason.clone().into()),
    ])
}
