use super::*;
use proptest::prelude::*;
use std::{format, string::ToString, vec::Vec};

#[test]
fn pqos_settings_are_read() {
    let line = "llc:1=0xf;llc@0-1,3:2=0xff00;l2:2=0x3f;mba:1=30;llc:0d=0xfff;llc:0c=4095";
    let settings = parse_pqos(line).unwrap();
    let setting = |what, domains, class, value| Setting { what, domains, class: Some(class), value };
    assert_eq!(
        settings.as_slice(),
        [
            setting(What::L3(Part::Both), Domains::ALL, 1, 0xf),
            setting(What::L3(Part::Both), Domains(0b1011), 2, 0xff00),
            setting(What::L2(Part::Both), Domains::ALL, 2, 0x3f),
            setting(What::Bandwidth, Domains::ALL, 1, 30),
            setting(What::L3(Part::Data), Domains::ALL, 0, 0xfff),
            setting(What::L3(Part::Code), Domains::ALL, 0, 0xfff),
        ]
    );
    assert_eq!(
        Pqos(&settings).to_string(),
        "llc:1=0xf;llc@0,1,3:2=0xff00;l2:2=0x3f;mba:1=30;llc:0d=0xfff;llc:0c=0xfff"
    );
    assert_eq!(parse_pqos("mba:1=30;").unwrap().len(), 1);
}

#[test]
fn what_pqos_would_not_take_is_refused_with_its_place() {
    for (line, position) in [
        ("", 0),
        ("llc", 3),
        ("llc:=1", 4),
        ("llc:1", 5),
        ("llc:1=", 6),
        ("llc:1=0x", 8),
        ("llc:1=1 2", 8),
        ("llc@64:1=1", 4),
        ("llc@3-1:1=1", 7),
        ("mba:1c=3", 6),
        ("cat:1=1", 0),
        ("llc:1=0x10000000000000000", 8),
        ("llc:4294967296=1", 4),
    ] {
        assert_eq!(parse_pqos(line).map_err(|error| error.position), Err(position), "{line}");
    }
    let error = parse_pqos("llc:1:0xf").unwrap_err();
    assert_eq!(error.to_string(), "at character 6: expected =");
}

#[test]
fn schemata_lines_are_read_and_printed() {
    let settings = parse_schemata("L3:0=f;1=ff0").unwrap();
    let values: Vec<_> = settings.iter().map(|setting| (setting.domains.0, setting.value)).collect();
    assert_eq!(values, [(1, 0xf), (2, 0xff0)]);
    assert_eq!(Schemata(&settings).to_string(), "L3:0=f;1=ff0");
    for line in ["L3CODE:0=3", "L2DATA:5=1", "MB:0=50;1=100", "SMBA:63=8"] {
        assert_eq!(Schemata(&parse_schemata(line).unwrap()).to_string(), line);
    }
    assert_eq!(parse_schemata("  MB: 0=50; 1=60").unwrap().len(), 2);
    for line in
        ["", "L3", "L3:", "L3:0", "L3:0=", "L3:0=0xf", "L3:0=f;", "L3:0=f;0=1", "L4:0=1", "L3:0=g", "L3:64=1"]
    {
        assert!(parse_schemata(line).is_err(), "{line}");
    }
}

#[test]
fn colour_lists_are_xens() {
    let colours = |line, limit| parse_colours(line, limit).map(|list| list.iter().collect::<Vec<_>>());
    assert_eq!(colours("1-2,5-8", 16), Ok([1, 2, 5, 6, 7, 8].into()));
    assert_eq!(colours("0x1f0", 16), Ok([4, 5, 6, 7, 8].into()));
    for line in [
        "", "0-16", "2,1", "1-3,2-4", "1-", "1,,2", "1, 2", "-1", "1,1", "3-1", "0x0", "0x10000", "0x1,2",
        "a",
    ] {
        assert!(colours(line, 16).is_err(), "{line}");
    }
    let list = parse_colours("0,4-8", 16).unwrap();
    assert_eq!((list.count(), list.has(6), list.has(3)), (6, true, false));
}

#[test]
fn absolute_bandwidths_have_their_unit() {
    let absolute = parse_pqos("mba:1=4000MBps").unwrap();
    assert_eq!((absolute[0].what, absolute[0].value), (What::BandwidthMbps, 4000));
    let line = "MB:0=4000MBps;1=1000MBps";
    assert_eq!(Schemata(&parse_schemata(line).unwrap()).to_string(), line);
    for line in ["MB:0=4000MBps;1=50", "MB:0=50;1=50MBps", "MB:0=4000MB", "SMBA:0=1MBps", "L3:0=1MBps"] {
        assert!(parse_schemata(line).is_err(), "{line}");
    }
    assert!(parse_pqos("llc:1=0xfMBps").is_err() && parse_pqos("smba:1=8MBps").is_err());
}

fn any_line() -> impl Strategy<Value = std::string::String> {
    prop_oneof![
        "[a-zMBps0-9@:=;,x-]{0,40}",
        "(llc|l2|mba|L3|MB)[@0-9,:-]{0,8}[:=0-9a-fx;]{0,20}",
        any::<std::string::String>(),
    ]
}

proptest! {
    #[test]
    fn any_line_is_survived(line in any_line(), limit in any::<u32>()) {
        let _ = (parse_pqos(&line), parse_schemata(&line), parse_colours(&line, limit));
    }

    #[test]
    fn what_is_printed_is_read_back(
        class in any::<u32>(), value in any::<u64>(), domains in 1..u64::MAX, kind in 0..9usize,
    ) {
        let kinds = [
            What::L3(Part::Both), What::L3(Part::Code), What::L3(Part::Data), What::L2(Part::Both),
            What::L2(Part::Code), What::L2(Part::Data), What::Bandwidth, What::SlowBandwidth,
            What::BandwidthMbps,
        ];
        let setting = Setting { what: kinds[kind], domains: Domains(domains), class: Some(class), value };
        let read = parse_pqos(&format!("{}", Pqos(&[setting]))).unwrap();
        prop_assert_eq!(read.as_slice(), &[setting][..]);
        let one = Setting { domains: Domains(1 << (domains % 64)), class: None, ..setting };
        let read = parse_schemata(&format!("{}", Schemata(&[one]))).unwrap();
        prop_assert_eq!(read.as_slice(), &[one][..]);
    }

    #[test]
    fn colour_lists_are_printed_as_they_are_read(bits in 1..=u64::MAX) {
        let list = parse_colours(&format!("{bits:#x}"), 64).unwrap();
        let again = parse_colours(&list.to_string(), 64).unwrap();
        prop_assert_eq!(&again, &list);
        let back = list.iter().fold(0u64, |sum, colour| sum | 1 << colour);
        prop_assert_eq!((back, list.count()), (bits, bits.count_ones()));
    }
}
