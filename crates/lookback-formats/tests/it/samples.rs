//! A sample of each format, and what it becomes.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use lookback::Json;
use lookback_formats::{Decoder, Entry, Options};

pub(crate) fn decode(input: &str) -> Vec<Entry> {
    let options = Options {
        now: "2026-11-28T12:00:00Z".parse().unwrap(),
        ..Options::default()
    };
    let mut decoder = Decoder::new(options);
    let mut entries = Vec::new();
    for line in input.lines() {
        decoder.line(line.as_bytes(), &mut entries).unwrap();
    }
    decoder.finish(&mut entries);
    assert_eq!(decoder.open_since(), None);
    entries
}

/// One line for each record: what is in columns, and then the rest.
pub(crate) fn shown(input: &str) -> String {
    let time = |time: Option<DateTime<Utc>>| time.map_or("-".to_owned(), |time| time.to_rfc3339());
    let json = |name: &str, value: &Option<Json>| {
        value
            .as_ref()
            .map_or(String::new(), |value| format!(" {name}={value}"))
    };
    let mut out = String::new();
    for entry in decode(input) {
        if let Some(log) = entry.log {
            let trace = log
                .trace_id
                .map_or(String::new(), |id| format!(" trace={id}"));
            let meta = json("meta", &log.meta);
            writeln!(
                out,
                "{} {} {} [{}] {:?}{trace}{meta}",
                entry.format.name(),
                time(log.created_at),
                log.level,
                log.source,
                log.message
            )
            .unwrap();
        }
        if let Some(request) = entry.request {
            let number = |name: &str, number: Option<i32>| {
                number.map_or(String::new(), |number| format!(" {name}={number}"))
            };
            let text = |name: &str, text: &Option<String>| {
                text.as_ref()
                    .map_or(String::new(), |text| format!(" {name}={text}"))
            };
            writeln!(
                out,
                "{} {} {} {}{}{}{}{}{}{}{}{}{}",
                entry.format.name(),
                time(Some(request.timestamp)),
                request.method,
                request.path,
                number("status", request.status_code),
                number("ms", request.duration),
                text("user", &request.user_id),
                text("trace", &request.trace_id),
                json("query", &request.query),
                json("headers", &request.headers),
                json("body", &request.body),
                json("response_headers", &request.response_headers),
                json("response_body", &request.response_body),
            )
            .unwrap();
        }
    }
    out
}

macro_rules! sample {
    ($test:ident, $input:expr) => {
        #[test]
        fn $test() {
            insta::assert_snapshot!(stringify!($test), crate::samples::shown($input));
        }
    };
}
pub(crate) use sample;

sample!(
    pino_line_is_log_and_request,
    r#"{"level":30,"time":1765432100500,"pid":7,"hostname":"h1","name":"cart","msg":"ready"}
{"level":50,"time":1765432100501,"trace_id":"11112222333344445555666677778888","err":{"type":"Error","stack":"Error: no\n    at a (a.js:1:2)"},"msg":"checkout failed"}
{"level":60,"time":1765432100502,"msg":""}
{"level":30,"time":1765432100503,"req":{"id":1,"method":"PUT","url":"/carts/9?x=1&x=2","headers":{"Host":"c.example","Authorization":"Bearer aaaaaaaaaaaa"},"remoteAddress":"192.0.2.1"},"res":{"statusCode":204,"headers":{"etag":"e"}},"responseTime":3.4,"msg":"request completed"}"#
);

sample!(
    winston_levels_and_message_object,
    r#"{"level":"silly","message":"tick","service":"mail","timestamp":"2026-05-06T07:08:09.010Z"}
{"level":"info","message":{"id":4,"text":"t"},"service":"mail"}"#
);

sample!(
    zap_float_seconds_and_short_keys,
    r#"{"level":"dpanic","ts":1771000000.1234567,"logger":"db","caller":"a.go:1","msg":"odd state","stacktrace":"f\n\tf.go:2"}
{"L":"WARN","T":"2026-02-03T04:05:06.007Z","C":"b.go:2","M":"short keys"}"#
);

sample!(
    slog_zerolog_and_logrus,
    r#"{"time":"2026-01-02T03:04:05.000000007+02:00","level":"INFO+2","source":{"function":"f","file":"f.go","line":3},"msg":"m","n":12345678901234567890}
{"level":"warn","time":1771000000,"message":"of zerolog","ok":true}
{"level":"fatal","msg":"of logrus","time":"2026-01-02T03:04:05-05:00","func":"main.f"}"#
);

sample!(
    tracing_with_fields_spans_or_flat,
    r#"{"timestamp":"2026-03-04T05:06:07.123456Z","level":"WARN","fields":{"message":"low","sku":3},"target":"shop::stock","span":{"name":"s"},"spans":[{"name":"s"}]}
{"timestamp":"2026-03-04T05:06:07.2Z","level":"TRACE","message":"flat","target":"t"}
{"timestamp":"2026-03-04T05:06:07.3Z","level":"INFO","fields":{"sku":3},"target":"t"}"#
);

sample!(
    java_loggers,
    r#"{"@timestamp":"2026-04-05T06:07:08.009+09:00","@version":"1","message":"m","logger_name":"a.B","thread_name":"main","level":"ERROR","level_value":40000,"stack_trace":"x\n\tat y","traceId":"aaaa2222333344445555666677778888"}
{"instant":{"epochSecond":1771000000,"nanoOfSecond":123000000},"thread":"main","level":"WARN","loggerName":"c.D","message":"of log4j2","contextMap":{"k":"v"}}
{"@timestamp":"2026-04-05T06:07:08.009Z","log.level":"INFO","message":"of ECS","service.name":"orders","trace.id":"bbbb2222333344445555666677778888","ecs.version":"1.2.0"}
{"@timestamp":"2026-04-05T06:07:08.009Z","log":{"level":"warn","logger":"app"},"message":"nested","service":{"name":"orders"},"error":{"stack_trace":"s"}}"#
);

sample!(
    dotnet_loggers,
    r#"{"@t":"2026-06-07T08:09:10.1234567Z","@mt":"Paid {Amount:0.00} of {Name} {{x}}","@r":["2.50"],"@l":"Warning","@tr":"cccc2222333344445555666677778888","Amount":2.5,"Name":"n","SourceContext":"A.B"}
{"@t":"2026-06-07T08:09:11Z","@mt":"HTTP {RequestMethod} {RequestPath} responded {StatusCode} in {Elapsed:0.0} ms","@r":["7.1"],"RequestMethod":"GET","RequestPath":"/a","StatusCode":404,"Elapsed":7.1}
{"Timestamp":"2026-06-07T08:09:12.345Z","EventId":7,"LogLevel":"Critical","Category":"A.C","Message":"of the console","State":{"k":1}}"#
);

sample!(
    python_loggers,
    r#"{"event":"of structlog","level":"critical","logger":"a.b","timestamp":"2026-07-08T09:10:11.123456"}
{"asctime":"2026-07-08 09:10:11,703","levelname":"WARNING","name":"a.c","message":"of json-logger","exc_info":"Traceback"}
{"text":"line\n","record":{"elapsed":{"seconds":1},"exception":null,"extra":{"k":1},"file":{"name":"f.py"},"level":{"icon":"x","name":"SUCCESS","no":25},"line":3,"message":"of loguru","module":"m","name":"a.d","time":{"repr":"2026-07-08 09:10:11+00:00","timestamp":1783501811.5}}}
{"level":"ERROR","location":"f:3","message":"of Powertools","timestamp":"2026-07-08 09:10:11,500+0000","service":"pay","xray_trace_id":"1-5e1b4151-5ac6c58f5b5daa6532e4a5ea"}
{"message":"of Monolog","context":{"k":1},"level":300,"level_name":"WARNING","channel":"app","datetime":"2026-07-08T09:10:11.500000+00:00","extra":[]}
{"t":{"$date":"2026-07-08T09:10:11.500+00:00"},"s":"W","c":"NETWORK","id":5,"ctx":"conn1","msg":"of MongoDB","attr":{"k":1}}"#
);

sample!(
    docker_joins_parts_and_folds_stack_traces,
    r#"{"log":"{\"level\":\"warn\",\"msg\":\"inner\",\"time\":\"2026-08-09T10:11:12Z\"}\n","stream":"stdout","time":"2026-08-09T10:11:13.5Z"}
{"log":"Traceback (most recent call last):\n","stream":"stderr","time":"2026-08-09T10:11:14.1Z"}
{"log":"  File \"a.py\", line 1, in f\n","stream":"stderr","time":"2026-08-09T10:11:14.2Z"}
{"log":"ValueError: no\n","stream":"stderr","time":"2026-08-09T10:11:14.3Z"}
{"log":"a long \u001b[31mline ","stream":"stdout","time":"2026-08-09T10:11:15Z"}
{"log":"ERROR of another stream\n","stream":"stderr","time":"2026-08-09T10:11:15.5Z"}
{"log":"ends\u001b[0m\n","stream":"stdout","time":"2026-08-09T10:11:16Z"}"#
);

sample!(
    kubernetes_joins_parts,
    "2026-08-09T10:11:12.123456789Z stdout P one \n2026-08-09T10:11:12.2Z stdout F two\n2026-08-09T12:11:13+02:00 stderr F java.lang.X: y\n2026-08-09T10:11:13Z stderr F \tat z(Z.java:1)"
);

sample!(
    journald_text_bytes_and_null,
    r#"{"__REALTIME_TIMESTAMP":"1786270272123456","PRIORITY":"2","SYSLOG_IDENTIFIER":"shop","_PID":"9","MESSAGE":"no disk"}
{"__REALTIME_TIMESTAMP":"1786270273000000","PRIORITY":"7","SYSLOG_IDENTIFIER":"shop","MESSAGE":[27,91,49,109,104,105]}
{"__REALTIME_TIMESTAMP":"1786270274000000","MESSAGE":null,"_COMM":"x"}"#
);

sample!(
    syslog_of_both_standards,
    "<27>Sep  1 02:03:04 h1 shop[12]: cannot bind\nSep 11 02:03:05 h1 cron: {\"level\":\"debug\",\"msg\":\"inner\"}\n<165>1 2026-09-10T11:12:13.003Z h2 app 12 ID7 [x@1 a=\"b \\\"c\\\"\" d=\"e\"] text here\n71 <14>1 2026-09-10T11:12:14Z h2 app - - - framed"
);

sample!(
    heroku_router_and_app,
    "2026-09-10T11:12:13.5+00:00 heroku[router]: at=error code=H12 method=GET path=\"/a?b=1\" host=s.example fwd=\"192.0.2.1\" dyno=web.1 connect=0ms service=30000ms status=503 bytes=0\n2026-09-10T11:12:14+00:00 app[web.1]: {\"level\":40,\"msg\":\"inner\"}"
);

sample!(
    google_cloud_array_over_lines,
    r#"[
  {"insertId": "a", "severity": "NOTICE", "jsonPayload": {"message": "m", "k": 1},
   "trace": "projects/p/traces/dddd2222333344445555666677778888", "timestamp": "2026-10-11T12:13:14.5Z",
   "resource": {"labels": {"service_name": "svc"}}},
  {"insertId": "b", "severity": "ERROR", "timestamp": "2026-10-11T12:13:15Z",
   "httpRequest": {"requestMethod": "GET", "requestUrl": "https://u:p@s.example/a?token=t1", "status": 500, "latency": "0.25s"}}
]"#
);

sample!(
    clouds_in_batches,
    r#"{"logGroup":"/aws/lambda/pay","logStream":"s","logEvents":[{"id":"1","timestamp":1791720794500,"message":"{\"level\":\"error\",\"msg\":\"inner\"}"},{"id":"2","timestamp":1791720794600,"message":"START RequestId: x\n"}]}
{"records":[{"time":"2026-10-11T12:13:14Z","level":"Warning","category":"AppLogs","operationName":"op","resultDescription":"of Azure","properties":{"k":1}}]}
{"streams":[{"stream":{"app":"shop","level":"warn"},"values":[["1791720794500000000","a=1 level=error msg=inner"],["1791720794600000000","text",{"trace_id":"eeee2222333344445555666677778888"}]]}]}"#
);

sample!(
    logfmt_pairs,
    "ts=2026-10-11T12:13:14Z level=warn msg=\"a \\\"b\\\"\" n=3 empty= flag\nthis is a sentence with a=1 in it"
);

sample!(
    access_logs_of_web_servers,
    r#"192.0.2.9 - ann [11/Oct/2026:12:13:14 +0200] "GET /a?b=c%20d HTTP/1.1" 200 5 "https://r.example/" "agent \"x\"" 0.005
::1 - - [11/Oct/2026:12:13:15 +0000] "\x16\x03" 400 -
{"time_local":"11/Oct/2026:12:13:16 +0000","remote_addr":"192.0.2.9","remote_user":"-","request":"POST /a HTTP/1.1","status":"502","request_time":"1.5","http_user_agent":"x","upstream_addr":"10.0.0.1:80"}
{"level":"info","ts":1791720797.5,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"192.0.2.9","method":"GET","host":"s.example","uri":"/z","headers":{"Cookie":["a=b"]}},"user_id":"u1","duration":0.0123,"size":3,"status":304,"resp_headers":{"Etag":["e"]}}
{"ClientHost":"192.0.2.9","DownstreamStatus":200,"Duration":12000000,"RequestHost":"s.example","RequestMethod":"GET","RequestPath":"/t","StartUTC":"2026-10-11T12:13:18Z","RouterName":"r"}
{"start_time":"2026-10-11T12:13:19Z","method":"GET","path":"/e","protocol":"HTTP/2","response_code":503,"duration":17,"authority":"s.example","request_id":"q1","upstream_cluster":"c"}
{"ClientRequestMethod":"GET","ClientRequestURI":"/c","ClientRequestHost":"s.example","EdgeResponseStatus":200,"EdgeStartTimestamp":1791720800000000000,"RayID":"r"}
{"method":"GET","path":"/l","format":"html","controller":"C","action":"i","status":200,"duration":5.6,"view":1.2,"params":{"page":"2"},"time":"2026-10-11T12:13:21Z"}
h2 2026-10-11T12:13:22.5Z app/lb/1 192.0.2.9:1 10.0.0.1:80 0.001 0.002 0.003 200 200 1 2 "GET https://s.example:443/b?x=1 HTTP/2.0" "agent" C T arn "Root=1-58337281-1d84f3d73c47ec4e58577259" "s.example" "-" 0 2026-10-11T12:13:22.4Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#
);

sample!(
    opentelemetry_logs_and_server_spans,
    r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"timeUnixNano":"1791720794500000001","severityNumber":"SEVERITY_NUMBER_WARN2","body":{"stringValue":"m"},"traceId":"FFFF2222333344445555666677778888","attributes":[{"key":"n","value":{"intValue":"7"}},{"key":"d","value":{"doubleValue":"NaN"}},{"key":"z","value":null}]},{"timeUnixNano":0,"observedTimeUnixNano":1791720794600000000,"severityNumber":21,"body":{"kvlistValue":{"values":[{"key":"message","value":{"stringValue":"in a body"}}]}},"traceId":"00000000000000000000000000000000"}]}]},{"resource":null,"scopeLogs":null}]}
{"resourceSpans":[{"resource":{"attributes":[{"key":"service.version","value":{"stringValue":"1.2"}}]},"scopeSpans":[{"spans":[{"traceId":"aaaa2222333344445555666677778889","spanId":"b7ad6b7169203331","name":"GET /a","kind":2,"startTimeUnixNano":"1791720794500000000","endTimeUnixNano":"1791720794512000000","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"url.path","value":{"stringValue":"/a"}},{"key":"http.response.status_code","value":{"intValue":"201"}}]},{"traceId":"aaaa","name":"inner","kind":1}]}]}]}"#
);

sample!(
    har_entries,
    r#"{"log":{"version":"1.2","pages":[{"id":"p","title":"t"}],"entries":[{"startedDateTime":"2026-10-11T12:13:14.5Z","time":12.4,"pageref":"p","request":{"method":"POST","url":"https://s.example/a?x=1","headers":[{"name":"Cookie","value":"sid=s1"},{"name":"traceparent","value":"00-aaaa2222333344445555666677778880-b7ad6b7169203331-01"}],"queryString":[{"name":"x","value":"1"}],"cookies":[{"name":"sid","value":"s1"}],"postData":{"mimeType":"application/json","text":"{\"password\":\"p\",\"n\":1}"}},"response":{"status":0,"headers":[],"content":{"size":3,"mimeType":"image/png","text":"iVBORw0KGgo=","encoding":"base64"}},"timings":{"wait":1}}]}}"#
);

sample!(
    mixed_and_broken_lines,
    "[info] starts like an array\n{ not json\n{\"msg\":\"json\"}\n{\n  \"msg\": \"over lines\"\n}\n{\n  \"msg\": broken\nnext line\n2026-01-02 03:04:05 ERROR text with a time\n  and an indented line\n[1,2]\n\"text\""
);

sample!(
    tracebacks_of_python_are_whole,
    "ERROR:shop:no\nTraceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nKeyError: 'a'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"b.py\", line 2, in <module>\nValueError: no\n\nINFO:shop:next\n2026-01-02 03:04:05.678 | ERROR    | m:f:3 - no\nTraceback (most recent call last):\n\n> File \"a.py\", line 1, in f\n    g()\n    └ <function g>\n\nKeyError: 'a'\n2026-01-02 03:04:06.789 | INFO     | m:f:4 - next"
);

sample!(
    traceback_with_blank_lines_of_docker_is_whole,
    r#"{"log":"ERROR:shop:no\n","stream":"stderr","time":"2026-08-09T10:11:14.1Z"}
{"log":"Traceback (most recent call last):\n","stream":"stderr","time":"2026-08-09T10:11:14.2Z"}
{"log":"  File \"a.py\", line 1, in f\n","stream":"stderr","time":"2026-08-09T10:11:14.3Z"}
{"log":"\n","stream":"stderr","time":"2026-08-09T10:11:14.4Z"}
{"log":"KeyError: 'a'\n","stream":"stderr","time":"2026-08-09T10:11:14.5Z"}
{"log":"\n","stream":"stderr","time":"2026-08-09T10:11:14.6Z"}
{"log":"INFO:shop:next\n","stream":"stderr","time":"2026-08-09T10:11:14.7Z"}"#
);

sample!(
    error_of_node_with_a_cause_is_whole,
    "RangeError: no\n    at f (a.js:1:2) {\n  [cause]: TypeError: x\n      at g (a.js:3:4)\n}\nINFO next"
);

sample!(
    exception_behind_the_message_is_folded,
    "2026-01-02 03:04:05.678 ERROR [main] shop.Cart - no\njava.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\nCaused by: java.lang.RuntimeException: x\n\tat a.B.d(B.java:2)\n2026-01-02T03:04:06Z error: no\nRangeError: no\n    at f (a.js:1:2)\nTypeError: another one\n    at g (a.js:3:4)\nTypeError: a third one"
);

sample!(
    indented_lines_with_time_and_level_are_records,
    "  2026-01-02T03:04:05.678901Z  INFO shop: one, sku: 3\n    at src/a.rs:1\n\n  2026-01-02T03:04:06.678901Z  WARN shop: two\n    at src/a.rs:2\n    in request with id: 7\n"
);

sample!(
    level_before_a_name_is_no_host_of_syslog,
    "2026-01-02T03:04:05Z ERROR shop: no\n2026-01-02T03:04:07Z web1 shop: ERROR of syslog"
);

sample!(
    secrets_in_the_text_of_loggers_are_masked,
    r#"info: signed in {"password":"p1","user":"anna"}
2026-01-02T03:04:05.678901Z [warning  ] signed in                      [cart] headers={'authorization': 'Bearer abcdefgh', 'accept': '*/*'} password=p1
{"level":"info","message":{"id":4,"token":"t1"}}"#
);

#[test]
fn empty_list_beside_other_fields_loses_nothing() {
    for line in [
        r#"{"a":1,"resourceLogs":null}"#,
        r#"{"a":1,"resourceSpans":[]}"#,
        r#"{"streams":[],"stats":{"x":1}}"#,
        r#"{"a":1,"logEvents":[]}"#,
        r#"{"time":[{"t":1760000000,"a":1,"resourceLogs":null}]}"#,
    ] {
        let mut decoder = Decoder::new(Options::default());
        let mut entries = Vec::new();
        decoder.line(line.as_bytes(), &mut entries).unwrap();
        decoder.finish(&mut entries);
        assert_eq!(entries.len(), 1, "{line}");
        let log = entries[0].log.as_ref().unwrap();
        assert!(
            log.message.contains("=[") || log.message.contains("a=1"),
            "{}",
            log.message
        );
    }
}

#[test]
fn opentelemetry_with_other_names_is_refused() {
    let mut decoder = Decoder::new(Options::default());
    for (line, problem) in [
        (
            "{\"resource_logs\":[]}",
            "resource_logs: must be named resourceLogs",
        ),
        ("{\"resourceLogs\":{}}", "resourceLogs: must be an array"),
        (
            "{\"resourceMetrics\":[]}",
            "resourceMetrics: are not stored",
        ),
    ] {
        let mut entries = Vec::new();
        let refused = decoder.line(line.as_bytes(), &mut entries).unwrap_err();
        assert!(refused.to_string().starts_with(problem), "{refused}");
        assert_eq!(entries, []);
    }
}

#[test]
fn long_message_is_cut_and_whole_in_meta() {
    let text = "ä".repeat(1024 * 1024);
    let entries = decode(&format!("{{\"msg\":\"{text}\"}}"));
    let log = entries[0].log.as_ref().unwrap();
    assert_eq!(log.message.len(), 1024 * 1024);
    assert_eq!(log.meta.as_ref().unwrap()["message"].as_str(), Some(&*text));
}

sample!(
    times_near_the_start_of_a_text,
    r#"I, [2026-04-05T06:07:08.123456 #4711]  INFO -- : Completed 201 Created in 12ms
ERROR [2026-04-05 06:07:09,500] queue is full
1:M 05 Apr 2026 06:07:10.250 # Out of memory
W0405 06:07:11.250001       1 reflector.go:561] watch ended
2026-04-05T06:07:12.5Z	WARN	server/main.go:42	slow start	{"took": "3s"}
token of the job expires 2031-01-01T00:00:00Z
Order 66 2026-04-05T06:07:13Z
127.0.0.1:52814 - "no request" 200"#
);

sample!(
    lines_behind_the_prefix_of_a_tool,
    r#"shop-1   | {"level":50,"time":1765432100500,"msg":"of compose"}
my_db_2  | 2026-04-05 06:07:08.250 UTC [88] LOG:  checkpoint starting
shop-1   | Error: no such cart
shop-1   |     at find (cart.js:9:3)
my_db_2  | next
ls -1 | sort
[pod/shop-5d8-x2/shop] {"level":"warn","ts":1765432100.5,"msg":"of kubectl"}
[pod/ is no prefix] text
2026-04-05T06:07:08.123456789Z {"level":40,"msg":"of docker logs -t"}
2026-04-05T06:07:09.123456789Z 198.51.100.7 - - [05/Apr/2026:06:07:09 +0000] "GET /a?b=1 HTTP/1.1" 404 12
shop-5d8-x2 shop {"level":20,"time":1765432100500,"msg":"of stern"}
2026-04-05 06:07:08 +0200 shop.web: {"severity":"error","message":"of fluentd"}
[2026-04-05 06:07:10] production.ERROR: no such user {"exception":"x"}"#
);

sample!(
    requests_in_text,
    r#"[2026-04-05T06:07:08.250Z] "POST /carts?x=1 HTTP/2" 503 UH 10 81 24 - "203.0.113.9" "curl/8.7" "8a0-1" "shop.example" "-"
[2026-04-05T06:07:09.250Z] "GET /a HTTP/1.1" 200 - via_upstream - "-" 0 5 7 6 "-" "Go-http-client/2.0" "8a0-2" "shop:80" "10.1.2.3:80" outbound|80||shop 10.1.2.4:1 10.1.2.5:80 10.1.2.4:2 - default
[2026-04-05T06:07:10.250Z] "GET /b HTTP/1.1" 200 - and more
[05/Apr/2026 06:07:11] "GET /admin/ HTTP/1.1" 302 0
INFO:     203.0.113.9:52814 - "PUT /items/7 HTTP/1.1" 422 Unprocessable Entity
198.51.100.7 - - [05/Apr/2026:06:07:12 +0000] "GET /c HTTP/2.0" 200 99 "-" "curl/8.7" 31 "shop@docker" "http://10.0.0.9:8080" 17ms
upstream said "GET /d HTTP/1.1", not 200"#
);

sample!(
    records_of_agents_and_platforms,
    r#"{"time":1765432100.5,"host":"h","source":"/var/log/shop.log","sourcetype":"_json","event":{"message":"of Splunk's collector","severity":"WARN","cart":9}}
{"version":"1.1","host":"web-7","short_message":"of GELF","full_message":"of GELF\nat a","level":4,"timestamp":1765432100.5,"_cart":9}
{"ddsource":"ruby","service":"mail","status":"warn","message":"of Datadog","timestamp":1765432100500}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"0f-1","stage":"ResponseComplete","requestURI":"/api/v1/pods?limit=5","verb":"list","user":{"username":"system:node","groups":["g"]},"responseStatus":{"code":403},"requestReceivedTimestamp":"2026-04-05T06:07:08.123456Z","stageTimestamp":"2026-04-05T06:07:08.200000Z"}
{"id":"7","message":"of Vercel","timestampInMs":1765432100500,"type":"stdout","proxy":{"method":"GET","path":"/api/cart","statusCode":200}}
{"severity":"ERROR","time":"2026-04-05T06:07:08.5Z","message":"of a program on Google Cloud","logging.googleapis.com/trace":"projects/p/traces/11112222333344445555666677778888","httpRequest":{"requestMethod":"GET","requestUrl":"https://shop.example/a","status":500,"latency":"0.25s"}}
{"Records":[{"eventTime":"2026-04-05T06:07:08Z","eventName":"PutObject","awsRegion":"eu-west-1"},{"eventTime":"2026-04-05T06:07:09Z","eventName":"GetObject"}]}
{"errors":[{"code":7},{"code":8}]}"#
);

sample!(
    names_that_say_what_they_are,
    r#"{"eventTimestamp":"2026-04-05T06:07:08Z","logSeverity":"warning","errorMsg":"of no known name"}
{"uptime":1765432100,"tokenExpiryTime":"2031-01-01T00:00:00Z","energyLevel":"error 7","batteryLevel":40,"note":"nothing here"}
{"lastSeenDate":20260405,"message":"a number that is no time"}"#
);

#[test]
fn nul_in_any_part_of_a_request_is_replaced() {
    let url = "http://us\0er:pw@ho\0st/pa\0th?na\0me=va\0lue";
    let line = format!(
        "192.0.2.1 id\0 us\0er [05/Apr/2026:06:07:09 +0000] \"GE\0T {url} HTTP/1.1\" 200 5 \"re\0f\" \"ag\0ent\""
    );
    let json = format!(
        "{{\"method\":\"PUT\",\"url\":{},\"status\":200,\"user_id\":\"u\\u0000\",\"trace_id\":\"t\\u0000\",\
          \"version\":\"1\\u0000\",\"env\":\"e\\u0000\",\"ClientCountry\":\"c\\u0000\",\"a\\u0000b\":{{\"c\\u0000\":\"\\u0000\"}}}}",
        Json::from(url)
    );
    for entry in decode(&format!(
        "{line}\n{json}\n{{\"msg\":\"m\\u0000\",\"name\":\"n\\u0000\"}}"
    )) {
        if let Some(log) = &entry.log {
            let checked = lookback::query::check_new(log);
            assert!(checked.is_ok(), "{checked:?} {log:?}");
        }
        if let Some(request) = &entry.request {
            let checked = lookback::query::check_new(&**request);
            assert!(checked.is_ok(), "{checked:?} {request:?}");
        }
    }
}

sample!(
    fields_named_as_those_around_a_batch,
    r#"{"msg":"ready","level":"info","streams":[{"id":1}]}
{"msg":"ready","resourceLogs":[]}
{"msg":"placed","level":"info","events":[{"message":"a"}]}
{"msg":"m","level":"info","log":{"entries":[]}}
{"records":"x","logEvents":[{"message":"of CloudWatch","timestamp":1765432100500}],"owner":"123"}
{"streams":["a"]}
{"time":"2026-04-05T06:07:08.5Z","stream":"stdout","logtag":"F","log":"one"}
{"time":"2026-04-05T06:07:08.6Z","stream":"stdout","logtag":"P","log":"t"}
{"time":"2026-04-05T06:07:08.7Z","stream":"stdout","logtag":"F","log":"wo"}
{"level":"error","log":"app","msg":"boom","time":"2026-04-05T06:07:08Z"}
[1, 2]
{"text":"other","record":{"message":"m","level":"ERROR","a":1},"a":2}"#
);

sample!(
    values_that_have_no_place_of_their_own_are_kept,
    r#"Nov  3 09:23:39 h shop[12]: {"msg":"m","level":"info","logger":"db"}
<165>1 2026-01-14T12:00:04.353Z h app 12 id [origin ip="1.1.1.1" ip="2.2.2.2"][host a="b"] text
{"timestamp":"2026-04-05T06:07:08.123456789Z","severity":"ERROR","jsonPayload":{"message":"m"},"textPayload":"t","logName":"l"}
{"severity":"WARNING","timestamp":"2026-04-05T06:07:08Z","httpRequest":{"requestMethod":"GET","requestUrl":"/a#part","status":500,"token":"t1"},"insertId":"i"}
{"method":"GET","path":"/a","status":200,"req":{"query":{"a":1}},"params":{"p":2},"authority":"h1","request":{"host":"h2"}}
192.0.2.1 - - [05/Apr/2026:06:07:09 +0000] "GET / HTTP/1.1" 999 5
192.0.2.1 - - [05/Apr/2026:06:07:09 +0000] "GET / HTTP/1.1" 200 "https://r.example/" "agent"
{"name":"password","value":"hunter2","msg":"m"}
a=1 b="\x41\u00e4\ud83d\ude00" c="C:\dir" a=2"#
);

/// A line within a line, many times, is text within the last one that is read.
#[test]
fn lines_within_lines_end() {
    let mut line = "the innermost".to_owned();
    for _ in 0..200 {
        let text = line.replace('\\', "\\u005c").replace('"', "\\u0022");
        line = format!("{{\"MESSAGE\":\"{text}\",\"_SYSTEMD_UNIT\":0}}");
    }
    assert_eq!(decode(&line).len(), 1);
    let holes = "{a}".repeat(100_000);
    let line = format!(
        "{{\"@t\":\"2026-01-01T00:00:00Z\",\"a\":\"{}\",\"@mt\":\"{holes}\"}}",
        "x".repeat(10_000)
    );
    let entries = decode(&line);
    let log = entries[0].log.as_ref().unwrap();
    assert!(log.message.len() < 2 * 1024 * 1024);
    let around = "x".repeat(100_000);
    let events = vec!["{\"message\":\"m\"}"; 1_000].join(",");
    let entries = decode(&format!(
        "{{\"owner\":\"{around}\",\"logEvents\":[{events}]}}"
    ));
    assert_eq!(entries.len(), 1_000);
    let with_owner = entries.iter().filter(|entry| {
        let meta = entry.log.as_ref().unwrap().meta.as_ref();
        meta.is_some_and(|meta| meta.get("owner").is_some())
    });
    assert_eq!(with_owner.count(), 1);
}

sample!(
    sentences_are_no_syslog_and_no_request,
    r#"2026-01-15T10:00:05Z Starting server: port 3000
2026-01-15T10:00:05Z payment failed: card declined by issuer
2026-01-15T10:00:05Z fatal disk: out of space
2026-01-15T10:00:05Z GET /orders: 200 OK in 12ms
2026-01-15T10:00:05+01:00 user alice: logged in
2026-01-15T10:00:05+01:00 Retry attempt[3]: waiting
Jan 15 10:00:00 Customer Miller: called back
Jan  5 10:00:00 order 17: paid
Jan 15 10:00:00 db-1 kernel: of syslog
Jan 15 10:00:00 laptop sshd[88]:     at an indent
<134>Jan 15 10:00:06 haproxy[12]: without a host
2026-01-15T10:00:05Z 10.1.2.3 app[7]: of an address
The server said "GET /x HTTP/1.1" 200 times today
{"msg":"job","method":"card","url":"https://pay/x","status":200}"#
);

sample!(
    lines_behind_the_time_of_docker,
    r#"2026-01-15T10:00:05.123456789Z 2026-01-15 10:00:00,123 INFO shop.orders Order 17 created
2026-01-15T10:00:06.123456789Z Traceback (most recent call last):
2026-01-15T10:00:06.123456790Z   File "a.py", line 3, in f
2026-01-15T10:00:06.123456791Z ValueError: no
2026-01-15T10:00:07.1234567Z level=error msg="of logfmt"
shop-1  | 2026-01-15T10:00:08.123456789Z of compose -t
2026-01-15T10:00:09.123Z [shop] error: of winston"#
);

sample!(
    levels_of_programs_that_write_text,
    r#"fail: Shop.Cart[0]
dbug: Shop.Cart[0]
ERRO[0013] of logrus
2026-01-15T10:00:00Z error db: slow query
2026-01-15T10:00:00.5Z	error	x.go:1	of zap
[10:00:00 VRB] of Serilog
PHP Fatal error:  Uncaught no
PHP Warning:  a
thread 'main' panicked at src/main.rs:2:5:
fatal error: all goroutines are asleep
2026-01-15T10:00:00Z log in of anna
2026-01-15T10:00:00Z Warning disk: full"#
);

sample!(
    what_postgresql_does_not_store_is_kept_as_it_can_be,
    "{\"msg\":\"m\",\"level\":30,\"n\":1e99999,\"deep\":[-1.5e-4000000000,2e5],\"__REALTIME_TIMESTAMP\":\"1791720794500000\"}\n\
     {\"msg\":\"m\",\"n\":1e400}\n\0\0\0\0a line behind a hole\na\0b"
);
