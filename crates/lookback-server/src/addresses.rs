//! Limits for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many of something each address has.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One of those of an address, until it is dropped.
#[derive(Debug)]
pub(crate) struct OneOfAddress {
    address: IpAddr,
    addresses: Arc<Addresses>,
}

impl Addresses {
    /// Counts one more; `None` if the address has the most already.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<OneOfAddress> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(OneOfAddress {
            address,
            addresses: Arc::clone(self),
        })
    }
}

impl Drop for OneOfAddress {
    fn drop(&mut self) {
        let mut counts = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}
