//! Access logs of Amazon's load balancers and of S3: values in a fixed order.

use super::{draft_of, of_request_line, value};
use crate::Format;
use crate::draft::{Draft, Request, amazon_trace};
use crate::time::Rules;

/// The fields of an application load balancer, in order. `-` is none.
const ALB_FIELDS: [&str; 29] = [
    "type",
    "time",
    "elb",
    "client",
    "target",
    "request_processing_time",
    "target_processing_time",
    "response_processing_time",
    "elb_status_code",
    "target_status_code",
    "received_bytes",
    "sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
    "target_group_arn",
    "trace_id",
    "domain_name",
    "chosen_cert_arn",
    "matched_rule_priority",
    "request_creation_time",
    "actions_executed",
    "redirect_url",
    "error_reason",
    "target_list",
    "target_status_code_list",
    "classification",
    "classification_reason",
];

/// Those of a classic load balancer.
const ELB_FIELDS: [&str; 15] = [
    "time",
    "elb",
    "client",
    "backend",
    "request_processing_time",
    "backend_processing_time",
    "response_processing_time",
    "elb_status_code",
    "backend_status_code",
    "received_bytes",
    "sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
];

/// Those of a bucket of S3.
const S3_FIELDS: [&str; 26] = [
    "bucket_owner",
    "bucket",
    "time",
    "remote_ip",
    "requester",
    "request_id",
    "operation",
    "key",
    "request",
    "http_status",
    "error_code",
    "bytes_sent",
    "object_size",
    "total_time",
    "turn_around_time",
    "referer",
    "user_agent",
    "version_id",
    "host_id",
    "signature_version",
    "cipher_suite",
    "authentication_type",
    "host_header",
    "tls_version",
    "access_point_arn",
    "acl_required",
];

/// Reads a line of an application or a classic load balancer.
pub(in crate::text) fn load_balancer(line: &str, rules: Rules<'_>) -> Option<Draft> {
    let (kind, rest) = line.split_once(' ')?;
    if matches!(kind, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
        let (_, after) = rest.split_once(' ')?;
        return after
            .starts_with("app/")
            .then(|| of_places(line, &ALB_FIELDS, Format::Alb, rules))?;
    }
    // `2026-01-02T03:04:05.678901Z name 192.0.2.1:5000 10.0.0.1:80 0.001 0.002 0.003 …`.
    if kind.len() != 27 || !kind.ends_with('Z') {
        return None;
    }
    let seconds = rest.split(' ').skip(3).take(3);
    let is_seconds = |text: &str| text == "-1" || text.contains('.') && text.parse::<f64>().is_ok();
    (seconds.filter(|text| is_seconds(text)).count() == 3)
        .then(|| of_places(line, &ELB_FIELDS, Format::Alb, rules))?
}

/// Reads a line of a bucket of S3.
pub(in crate::text) fn bucket(line: &str, rules: Rules<'_>) -> Option<Draft> {
    if !line.as_bytes().contains(&b'[') {
        return None;
    }
    let (before, rest) = line.split_once(" [")?;
    let (_, rest) = rest.split_once("] ")?;
    let operation = rest.split(' ').nth(3)?;
    let (kind, _) = operation.split_once('.')?;
    let is_kind = matches!(kind, "REST" | "SOAP" | "WEBSITE" | "BATCH" | "S3");
    (is_kind && before.split(' ').count() == 2)
        .then(|| of_places(line, &S3_FIELDS, Format::S3, rules))?
}

fn of_places(line: &str, names: &[&str], format: Format, rules: Rules<'_>) -> Option<Draft> {
    let mut draft = Draft::new(format);
    let mut request = Request::default();
    let mut rest = line;
    let mut times = [None; 3];
    let mut at = 0;
    while !rest.is_empty() {
        let name = names
            .get(at)
            .map_or_else(|| format!("field_{}", at + 1), |name| (*name).to_owned());
        let (value, after) = match rest.strip_prefix('[').filter(|_| name == "time") {
            Some(time) => time
                .split_once(']')
                .map(|(time, after)| (time.to_owned(), after))?,
            None => value(rest)?,
        };
        rest = after.trim_start();
        at += 1;
        if value == "-" {
            continue;
        }
        match name.as_str() {
            "time" => {
                if !draft.read_time(rules.time_of_text(&value)) {
                    return None;
                }
                continue;
            }
            "elb_status_code" | "http_status" => {
                if let Ok(status) = value.parse() {
                    request.status = Some(status);
                    continue;
                }
            }
            "request" => {
                let line = of_request_line(&value, &mut draft);
                (request.method, request.target) = (line.method, line.target);
                continue;
            }
            "user_agent" | "referer" | "host_header" => {
                let header = match name.as_str() {
                    "user_agent" => "user-agent",
                    "host_header" => "host",
                    name => name,
                };
                request.headers.insert(header.to_owned(), value.into());
                continue;
            }
            "requester" => {
                request.user_id = Some(value);
                continue;
            }
            "trace_id" => draft.set_trace_id(&amazon_trace(&value)),
            "request_processing_time" => times[0] = value.parse::<f64>().ok(),
            "target_processing_time" | "backend_processing_time" => {
                times[1] = value.parse::<f64>().ok();
            }
            "response_processing_time" => times[2] = value.parse::<f64>().ok(),
            "total_time" => {
                if let Ok(milliseconds) = value.parse::<u32>() {
                    request.duration = Some(f64::from(milliseconds));
                    continue;
                }
            }
            _ => {}
        }
        draft.meta.insert(name, value.into());
    }
    if request.method.is_empty() {
        // What S3 does by itself, such as deleting what has expired, is no request.
        if let Some(user) = request.user_id {
            draft.meta.insert("requester".to_owned(), user.into());
        }
        draft.message = Some(line.to_owned());
        return (format == Format::S3).then_some(draft);
    }
    // -1 says that the request did not reach the target.
    let total: Option<f64> = times
        .iter()
        .map(|time| time.filter(|time| *time >= 0.0))
        .sum();
    request.duration = total.map(|seconds| seconds * 1000.0).or(request.duration);
    Some(draft_of(request, draft))
}
