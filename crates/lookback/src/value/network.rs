//! Internet addresses and networks: `inet` and `cidr`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArgumentBuffer;

use super::Problem;

/// An address with the length of its network, such as `10.1.2.3/8`: a value of `inet`.
///
/// A plain address is an [`IpAddr`], which is a column type, too.
///
/// ```
/// use lookback::value::Inet;
///
/// let host: Inet = "10.1.2.3/8".parse()?;
/// assert_eq!(host.address().to_string(), "10.1.2.3");
/// assert_eq!(host.prefix(), 8);
/// assert_eq!(Inet::from(host.address()).to_string(), "10.1.2.3");
/// # Ok::<(), lookback::value::Problem>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inet {
    address: IpAddr,
    prefix: u8,
}

/// A network, such as `10.0.0.0/8`: a value of `cidr`.
///
/// The bits after the prefix are zero.
///
/// ```
/// use lookback::value::Cidr;
///
/// let network: Cidr = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse().unwrap()));
/// assert!("10.1.2.3/8".parse::<Cidr>().is_err());
/// # Ok::<(), lookback::value::Problem>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(Inet);

impl Inet {
    /// Creates an address with the length of its network, in bits.
    ///
    /// # Errors
    ///
    /// The prefix is longer than the address: 32 bits, or 128 of IPv6.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, Problem> {
        let longest = bits(address);
        if prefix > longest {
            return Err(Problem::new(format!(
                "the prefix of {address} must have at most {longest} bits, got {prefix}"
            )));
        }
        Ok(Self { address, prefix })
    }

    /// The address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The length of the network in bits; that of the whole address for a plain one.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    fn is_plain(self) -> bool {
        self.prefix == bits(self.address)
    }

    /// The address with zeros after the prefix.
    fn network(self) -> IpAddr {
        let rest = u32::from(bits(self.address) - self.prefix);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        }
    }

    /// Appends the binary form: the family, the prefix, whether it is a `cidr`, and the
    /// bytes (`network_send` in PostgreSQL's source, `utils/adt/network.c`).
    pub(super) fn encode(self, is_cidr: bool, buffer: &mut PgArgumentBuffer) {
        let mut push = |family: u8, bytes: &[u8]| {
            let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
            buffer.extend_from_slice(&[family, self.prefix, u8::from(is_cidr), length]);
            buffer.extend_from_slice(bytes);
        };
        match self.address {
            IpAddr::V4(address) => push(IPV4, &address.octets()),
            IpAddr::V6(address) => push(IPV6, &address.octets()),
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BoxDynError> {
        let [family, prefix, _, _, address @ ..] = bytes else {
            return Err("an address that is cut short".into());
        };
        let address = match *family {
            IPV4 => IpAddr::from(<[u8; 4]>::try_from(address)?),
            IPV6 => IpAddr::from(<[u8; 16]>::try_from(address)?),
            _ => return Err("an address of an unknown family".into()),
        };
        Ok(Self::new(address, *prefix)?)
    }
}

/// The families in the binary format: `PGSQL_AF_INET` and `PGSQL_AF_INET6`.
const IPV4: u8 = 2;
const IPV6: u8 = 3;

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Cidr {
    /// Creates a network from its first address and its length in bits.
    ///
    /// # Errors
    ///
    /// The prefix is longer than the address, or there are bits after it.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, Problem> {
        Self::of_inet(Inet::new(address, prefix)?)
    }

    pub(super) fn of_inet(network: Inet) -> Result<Self, Problem> {
        let first = network.network();
        if first == network.address {
            Ok(Self(network))
        } else {
            Err(Problem::new(format!(
                "`{network}` has bits after its prefix; the network is {first}/{}",
                network.prefix
            )))
        }
    }

    pub(super) fn inet(self) -> Inet {
        self.0
    }

    /// The first address.
    pub fn address(self) -> IpAddr {
        self.0.address
    }

    /// The length in bits.
    pub fn prefix(self) -> u8 {
        self.0.prefix
    }

    /// Whether an address is in the network.
    pub fn contains(self, address: IpAddr) -> bool {
        Inet::new(address, self.0.prefix).is_ok_and(|inet| inet.network() == self.0.address)
    }
}

impl From<IpAddr> for Inet {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            prefix: bits(address),
        }
    }
}

impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        Self(address.into())
    }
}

/// Formats as PostgreSQL prints an `inet`: without the prefix if it is a whole address.
impl fmt::Display for Inet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

/// Formats as PostgreSQL prints a `cidr`: always with the prefix.
impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.address, self.0.prefix)
    }
}

impl FromStr for Inet {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        const EXPECTED: &str = "an address, such as 192.168.0.1, 10.1.2.3/8 or ::1";
        let unreadable = || Problem::unreadable(text, EXPECTED);
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| unreadable())?;
        match prefix {
            None => Ok(address.into()),
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::new(address, prefix.parse().map_err(|_| unreadable())?)
            }
            Some(_) => Err(unreadable()),
        }
    }
}

impl FromStr for Cidr {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        const EXPECTED: &str = "a network, such as 10.0.0.0/8 or 2001:db8::/32";
        match text.parse::<Inet>() {
            Ok(network) => Self::of_inet(network),
            Err(_) => Err(Problem::unreadable(text, EXPECTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgArgumentBuffer;

    use super::{Cidr, Inet};

    #[test]
    fn address_is_formatted_as_it_is_parsed() {
        for text in [
            "192.168.0.1",
            "10.1.2.3/8",
            "0.0.0.0/0",
            "::1",
            "2001:db8::1/64",
        ] {
            let inet: Inet = text.parse().expect(text);
            assert_eq!(inet.to_string(), text);
            let mut buffer = PgArgumentBuffer::default();
            inet.encode(false, &mut buffer);
            assert_eq!(Inet::decode(&buffer).expect(text), inet);
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::1/129",
            "10.0.0.0/+8",
            "host",
        ] {
            assert!(text.parse::<Inet>().is_err(), "{text}");
        }
    }

    #[test]
    fn network_has_no_bits_after_its_prefix() {
        for text in [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/32",
            "10.1.2.3/32",
        ] {
            let cidr: Cidr = text.parse().expect(text);
            assert_eq!(cidr.to_string(), text);
        }
        let error = "10.1.2.3/8"
            .parse::<Cidr>()
            .expect_err("bits after the prefix");
        assert_eq!(
            error.to_string(),
            "`10.1.2.3/8` has bits after its prefix; the network is 10.0.0.0/8"
        );
        let network: Cidr = "10.0.0.0/8".parse().expect("a network");
        assert!(network.contains("10.200.0.1".parse().expect("an address")));
        assert!(!network.contains("11.0.0.1".parse().expect("an address")));
        assert!(!network.contains("::1".parse().expect("an address")));
    }
}
