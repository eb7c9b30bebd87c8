//! Times that lines of text begin with.

use crate::samples::sample;

sample!(
    lines_of_android,
    "04-05 06:07:08.123  1234  5678 I Tag: threadtime
04-05 06:07:08.123 u0_a12  1234  5678 F Tag    : with a user
04-05 06:07:08.123 D/Tag( 1234): brief
2026-04-05 06:07:08.123  1234  5678 W Tag: with a year
04-05 06:07:08.123 of nothing: known
04-05 06:07:08.123  1234  5678 items in stock: few"
);

sample!(
    numbers_and_dates_at_the_start_of_a_line,
    "31/12/2025 23:59:59 a
12/31/2025 11:59:59 PM WARN b
05/01/2026 10:00:00 either the day or the month
15.01.2026 10:00:00,250 c
2026.01.15 10:00:00 ERROR d
20260115T100000Z e
20260115 10:00:00.123 f
[1768471200] g
[1768471200.123] h
[1768471200123] ERROR: i
1768471200.123 200 192.0.2.7 TCP_MISS/200 j
1768471200 is a number
12345678901.5 is one, too
[12345678] and so is this
[    1.234567] usb 1-1: new device
15-Jan-2026 10:00:00.123 k
15 Jan 2026 10:00:00,123 l
10:00:00 WARN a time without a date stays in the text"
);

#[test]
fn times_beyond_four_digits_of_a_year_are_fields() {
    for line in [
        r#"{"message":"m","instant":{"epochSecond":-293214263999,"nanoOfSecond":1}}"#,
        r#"{"message":"m","time":-99999999999999999}"#,
        r#"{"message":"m","time":"+262142-01-01T00:00:00Z"}"#,
        r#"{"message":"m","time":"-7322-05-30T09:20:01Z"}"#,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"-9999999999999999999999","body":{"stringValue":"m"}}]}]}]}"#,
    ] {
        let mut decoder = lookback_formats::Decoder::new(lookback_formats::Options::default());
        let mut entries = Vec::new();
        decoder.line(line.as_bytes(), &mut entries).unwrap();
        decoder.finish(&mut entries);
        let log = entries[0].log.as_ref().unwrap();
        lookback::query::check_new(log).unwrap();
        let all = format!("{log:?}");
        assert!(
            ["2932142", "999", "262142", "7322"]
                .iter()
                .any(|part| all.contains(part)),
            "{all}"
        );
    }
}
