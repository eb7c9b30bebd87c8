//! A command of curl for each request.

use lookback::RequestSnapshot;
use lookback::replay::ReplaySettings;
use lookback_formats::har;

use super::RequestEncoder;
use crate::commands::replay::command_of;
use crate::failure::Failure;

pub(super) struct CurlEncoder;

impl RequestEncoder for CurlEncoder {
    fn request(&mut self, request: &RequestSnapshot, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut settings = ReplaySettings::default();
        settings.unsafe_methods = true;
        settings.send_masked = true;
        let command = command_of(&har::masked(request), None, &settings, ToString::to_string);
        out.extend_from_slice(command.as_bytes());
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}
