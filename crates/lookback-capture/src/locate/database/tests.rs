//! Databases that the tests write: <https://maxmind.github.io/MaxMind-DB/>.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use ipnet::IpNet;
use proptest::prelude::*;

use super::Database;
use crate::record::{Location, LocationSource};

/// The parts of the format that a location needs.
mod format {
    pub(super) fn text(text: &str) -> Vec<u8> {
        [&[control(2, text.len())], text.as_bytes()].concat()
    }

    pub(super) fn double(number: f64) -> Vec<u8> {
        [&[control(3, 8)], number.to_be_bytes().as_slice()].concat()
    }

    pub(super) fn uint16(number: u16) -> Vec<u8> {
        [&[control(5, 2)], number.to_be_bytes().as_slice()].concat()
    }

    pub(super) fn uint32(number: u32) -> Vec<u8> {
        [&[control(6, 4)], number.to_be_bytes().as_slice()].concat()
    }

    pub(super) fn uint64(number: u64) -> Vec<u8> {
        [&[control(0, 8), 9 - 7], number.to_be_bytes().as_slice()].concat()
    }

    pub(super) fn array(items: &[Vec<u8>]) -> Vec<u8> {
        [vec![control(0, items.len()), 11 - 7], items.concat()].concat()
    }

    pub(super) fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut map = vec![control(7, members.len())];
        for (name, value) in members {
            map.extend(text(name));
            map.extend(value);
        }
        map
    }

    /// The first byte of a value: its type and its size. Larger ones have more bytes.
    fn control(kind: u8, size: usize) -> u8 {
        assert!(size < 29, "{size}");
        kind << 5 | u8::try_from(size).unwrap()
    }
}

/// A record of the tree.
#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

/// Writes a database in which each range has a city.
fn database(cities: &[(&str, &str)]) -> Vec<u8> {
    use format::{array, double, map, text, uint16, uint32, uint64};
    let mut nodes = vec![[Record::Nothing; 2]];
    let mut data = Vec::new();
    for (range, city) in cities {
        let range: IpNet = range.parse().unwrap();
        let (bits, length) = match range {
            // The addresses of IPv4 are those whose first 96 bits are zero.
            IpNet::V4(range) => (u128::from(range.addr().to_bits()), 96 + range.prefix_len()),
            IpNet::V6(range) => (range.addr().to_bits(), range.prefix_len()),
        };
        let mut node = 0;
        for depth in 0..length - 1 {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            node = match nodes[node][side] {
                Record::Node(next) => next,
                Record::Nothing => {
                    nodes.push([Record::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Record::Node(next);
                    next
                }
                Record::Data(_) => panic!("{range} is within another"),
            };
        }
        let side = usize::from(bits >> (128 - length) & 1 == 1);
        nodes[node][side] = Record::Data(data.len());
        data.extend(map(&[
            ("country", map(&[("iso_code", text("CH"))])),
            ("city", map(&[("names", map(&[("en", text(city))]))])),
            (
                "subdivisions",
                array(&[map(&[("names", map(&[("en", text("Region"))]))])]),
            ),
            (
                "location",
                map(&[("latitude", double(47.36)), ("longitude", double(8.55))]),
            ),
        ]));
    }
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::Node(node) => *node,
            Record::Nothing => nodes.len(),
            Record::Data(offset) => nodes.len() + 16 + offset,
        };
        file.extend(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("node_count", uint32(u32::try_from(nodes.len()).unwrap())),
        ("record_size", uint16(24)),
        ("ip_version", uint16(6)),
        ("database_type", text("Test-City")),
        ("languages", array(&[text("en")])),
        ("binary_format_major_version", uint16(2)),
        ("binary_format_minor_version", uint16(0)),
        ("build_epoch", uint64(1_800_000_000)),
        ("description", map(&[("en", text("written by a test"))])),
    ]));
    file
}

fn cities() -> Vec<u8> {
    database(&[
        ("198.51.100.0/24", "Documentation"),
        ("203.0.113.7/32", "Zürich"),
        ("2001:db8::/32", "Six"),
    ])
}

struct Folder {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn written(bytes: &[u8]) -> Folder {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    std::fs::write(&path, bytes).unwrap();
    Folder {
        _folder: folder,
        path,
    }
}

fn city(database: &Database, address: &str) -> Option<String> {
    database.locate(address.parse().unwrap())?.city
}

#[test]
fn addresses_are_looked_up() {
    let file = written(&cities());
    let database = Database::open(file.path.clone()).unwrap();
    let expected = Location {
        country: Some("CH".to_owned()),
        region: Some("Region".to_owned()),
        city: Some("Zürich".to_owned()),
        coordinates: Some((47.36, 8.55)),
        source: LocationSource::Ip,
    };
    let found = database.locate("203.0.113.7".parse().unwrap());
    assert_eq!(found, Some(expected));
    for (address, expected) in [
        ("198.51.100.0", Some("Documentation")),
        ("198.51.100.255", Some("Documentation")),
        ("198.51.101.0", None),
        ("203.0.113.8", None),
        ("2001:db8:1::1", Some("Six")),
        ("2001:db9::1", None),
        // An address of IPv4 in the form of IPv6.
        ("::ffff:203.0.113.7", Some("Zürich")),
        // Nobody knows where these are.
        ("127.0.0.1", None),
        ("10.0.0.1", None),
        ("192.168.1.1", None),
        ("::1", None),
        ("fd00::1", None),
    ] {
        assert_eq!(city(&database, address).as_deref(), expected, "{address}");
    }
}

#[test]
fn replaced_file_is_read_again() {
    let file = written(&cities());
    let database = Database::open(file.path.clone()).unwrap();
    let reload = || database.reload(&mut database.looked_at.lock().unwrap().version);
    reload();
    assert_eq!(city(&database, "203.0.113.7").as_deref(), Some("Zürich"));

    let other = file.path.with_extension("new");
    std::fs::write(&other, self::database(&[("203.0.113.0/24", "Elsewhere")])).unwrap();
    std::fs::rename(&other, &file.path).unwrap();
    reload();
    assert_eq!(city(&database, "203.0.113.7").as_deref(), Some("Elsewhere"));
    assert_eq!(city(&database, "198.51.100.1"), None);
}

#[test]
fn broken_or_missing_file_changes_nothing() {
    let whole = cities();
    let file = written(&whole);
    let database = Database::open(file.path.clone()).unwrap();
    let reload = || database.reload(&mut database.looked_at.lock().unwrap().version);
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&file.path, &whole[..length]).unwrap();
        reload();
        assert_eq!(
            city(&database, "203.0.113.7").as_deref(),
            Some("Zürich"),
            "{length}"
        );
        let error = Database::open(file.path.clone()).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read ") && error.contains("city.mmdb"),
            "{error}"
        );
    }
    std::fs::write(&file.path, "<html>404</html>").unwrap();
    reload();
    std::fs::remove_file(&file.path).unwrap();
    reload();
    assert_eq!(city(&database, "203.0.113.7").as_deref(), Some("Zürich"));
    // When it is whole, it is read.
    std::fs::write(
        &file.path,
        self::database(&[("203.0.113.0/24", "Elsewhere")]),
    )
    .unwrap();
    reload();
    assert_eq!(city(&database, "203.0.113.7").as_deref(), Some("Elsewhere"));
}

proptest! {
    /// A file may be damaged anywhere.
    #[test]
    fn damaged_file_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        addresses in prop::collection::vec(any::<u128>(), 4),
    ) {
        let mut bytes = cities();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let file = written(&bytes);
        if let Ok(database) = Database::open(file.path.clone()) {
            database.locate("203.0.113.7".parse().unwrap());
            database.locate("2001:db8::1".parse().unwrap());
            for address in addresses {
                database.locate(IpAddr::V6(Ipv6Addr::from_bits(address)));
            }
        }
    }
}
