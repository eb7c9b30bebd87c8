//! The few messages of protobuf that the server writes.

/// Encodes an `Export…ServiceResponse`: empty, or with a partial success.
pub(super) fn response(rejected: u64, reasons: &str) -> Vec<u8> {
    let mut response = Vec::new();
    if rejected > 0 {
        let mut partial = Vec::new();
        put_number(&mut partial, 1, rejected);
        put_bytes(&mut partial, 2, reasons.as_bytes());
        put_bytes(&mut response, 1, &partial);
    }
    response
}

/// Encodes a `google.rpc.Status`, with a `RetryInfo` if the client may send again.
pub(super) fn status(code: u64, message: &str, retry_after: Option<u32>) -> Vec<u8> {
    let mut status = Vec::new();
    put_number(&mut status, 1, code);
    put_bytes(&mut status, 2, message.as_bytes());
    if let Some(seconds) = retry_after {
        let mut duration = Vec::new();
        put_number(&mut duration, 1, seconds.into());
        let mut info = Vec::new();
        put_bytes(&mut info, 1, &duration);
        let mut any = Vec::new();
        put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        put_bytes(&mut any, 2, &info);
        put_bytes(&mut status, 3, &any);
    }
    status
}

/// Appends a field with a number.
fn put_number(to: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(to, field << 3);
    put_varint(to, number);
}

/// Appends a field with bytes.
fn put_bytes(to: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(to, field << 3 | 2);
    put_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn put_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push((number & 0x7f) as u8);
}
