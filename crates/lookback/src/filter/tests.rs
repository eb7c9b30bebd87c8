//! Filters as text and as typed columns, and the errors of invalid ones.

use crate::json;

use crate::{Filter, Level, Log, Metric, RequestSnapshot, User};

fn refused<M: crate::Model>(text: &str) -> String {
    Filter::<M>::parse(text).expect_err(text).to_string()
}

/// Formats each error on a line.
fn listed(error: &crate::Error) -> String {
    let fields = error.fields().iter();
    fields.map(|field| format!("{field}\n")).collect()
}

fn json_number(text: &str) -> crate::Json {
    text.parse().expect(text)
}

fn parse(text: &str) -> Filter<Log> {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn parse_builds_same_tree_as_typed_filters() {
    let message = Log::message;
    let id = Log::id;
    for (text, typed) in [
        ("level=error", Log::level().eq(Level::Error)),
        ("level__eq=error", Log::level().eq("error")),
        ("level__exact=error", Log::level().eq("error")),
        ("level__ne=error", Log::level().ne("error")),
        ("level__ne=error", !Log::level().eq("error")),
        ("level__gte=warn", Log::level().gte("warn")),
        ("id__gt=7", id().gt(7)),
        ("id__gte=7", id().gte(7)),
        ("id__lt=7", id().lt(7)),
        ("id__lte=7", id().lte(7)),
        ("id__between=1,5", id().between(1, 5)),
        ("id__between=1,5", id().gte(1) & id().lte(5)),
        ("id__notbetween=1,5", id().not_between(1, 5)),
        ("id__in=1,2,3", id().is_in([1, 2, 3])),
        ("id__in=1, 2 ,3", id().is_in([1, 2, 3])),
        ("id__in=", id().is_in::<i64>([])),
        ("id__notin=1", id().not_in([1])),
        (
            "level__in=warn,error",
            Log::level().is_in(["warn", "error"]),
        ),
        (
            "source__in=\"a,b\",\"\",c\"d",
            Log::source().is_in(["a,b", "", "c\"d"]),
        ),
        (
            r#"source__in="say \"hi\"","\\""#,
            Log::source().is_in(["say \"hi\"", "\\"]),
        ),
        ("source=\"a\"", Log::source().eq("a")),
        ("source=a\"b\"", Log::source().eq("a\"b\"")),
        (r#"source="\"a\",b""#, Log::source().eq("\"a\",b")),
        (
            "or(source=\"a\",source=b)",
            Log::source().eq("a") | Log::source().eq("b"),
        ),
        ("source__in=\"a\"", Log::source().is_in(["a"])),
        ("id=\"7\"", id().eq(7)),
        ("source=", Log::source().eq("")),
        ("message__like=%a_", message().like("%a_")),
        ("message__ilike=%a=b%", message().ilike("%a=b%")),
        ("message__notlike=%a_", message().not_like("%a_")),
        ("message__notilike=%a_", !message().ilike("%a_")),
        ("message__startswith=50%", message().starts_with("50%")),
        ("message__startswith=50%", message().like("50\\%%")),
        ("message__istartswith=a_b", message().istarts_with("a_b")),
        ("message__endswith=\\", message().ends_with("\\")),
        ("message__endswith=\\", message().like("%\\\\")),
        ("message__iendswith=x", message().iends_with("x")),
        ("message__contains=\"x\"", message().contains("x")),
        (r#"message__contains="\"x\"""#, message().contains("\"x\"")),
        ("message__icontains=x", message().icontains("x")),
        ("trace_id__isnull=true", Log::trace_id().is_null()),
        ("trace_id__isnull=false", Log::trace_id().is_not_null()),
        ("trace_id__isnotnull=true", !Log::trace_id().is_null()),
        ("trace_id__isnotnull=false", Log::trace_id().is_null()),
        ("meta={\"a\":[1,2]}", Log::meta().eq(json!({"a": [1, 2]}))),
        (
            "meta__in={\"a\":1},[1,2],\",\"",
            Log::meta().is_in([json!({"a": 1}), json!([1, 2]), json!(",")]),
        ),
        (
            "meta.user.id=42",
            Log::meta().path("user.id").is_in([json!(42), json!("42")]),
        ),
        ("meta.user.id=\"42\"", Log::meta().path("user.id").eq("42")),
        ("meta.user.id__is=42", Log::meta().path("user.id").eq(42)),
        ("meta.user.id__isnot=42", Log::meta().path("user.id").ne(42)),
        (
            "meta.user.id__is=42,\"a,b\",null,[1]",
            Log::meta().key("user").key("id").is_in([
                json!(42),
                json!("a,b"),
                json!(null),
                json!([1]),
            ]),
        ),
        (
            "meta.ok=true",
            Log::meta().path("ok").is_in([json!(true), json!("true")]),
        ),
        (
            "meta.ok=null",
            Log::meta().path("ok").is_in([json!(null), json!("null")]),
        ),
        (
            "meta.ok__in=a,1,\"1\"",
            Log::meta()
                .path("ok")
                .is_in([json!("a"), json!(1), json!("1"), json!("1")]),
        ),
        (
            "meta.items.0.name=a",
            Log::meta().path("items").index(0).key("name").eq("a"),
        ),
        (
            r#"meta."a.b"."c\"d".__e=x"#,
            Log::meta().key("a.b").key("c\"d").key("__e").eq("x"),
        ),
        (
            r#"meta."a__b"__exists=true"#,
            Log::meta().key("a__b").exists(),
        ),
        ("meta.a__b__exists=true", Log::meta().key("a__b").exists()),
        ("meta.\"a=b\"=x", Log::meta().key("a=b").eq("x")),
        ("meta.\"\"=x", Log::meta().key("").eq("x")),
        ("meta.a__exists=false", !Log::meta().key("a").exists()),
        ("meta.a__isnull=true", Log::meta().key("a").is_null()),
        ("meta.a__isnotnull=true", Log::meta().key("a").is_not_null()),
        ("meta.a__gt=5", Log::meta().key("a").gt(5)),
        ("meta.a__gt=\"5\"", Log::meta().key("a").gt("5")),
        ("meta.a__gt=.5", Log::meta().key("a").gt(0.5)),
        ("meta.a__gt=-.5", Log::meta().key("a").gt(-0.5)),
        ("meta.a__gte=+5", Log::meta().key("a").gte(5)),
        ("meta.a__lt=05", Log::meta().key("a").lt(5)),
        (
            "meta.a__lt=00.50",
            Log::meta().key("a").lt(json_number("0.50")),
        ),
        ("meta.a__lte=5.", Log::meta().key("a").lte(5)),
        (
            "meta.a__lte=+1.e3",
            Log::meta().key("a").lte(json_number("1e3")),
        ),
        (
            "meta.a__between=.5,+5",
            Log::meta().key("a").between(0.5, 5),
        ),
        (
            "meta.a=05",
            Log::meta().key("a").is_in([json!(5), json!("05")]),
        ),
        (
            "meta.a__in=.5,-15m",
            Log::meta()
                .key("a")
                .is_in([json!(0.5), json!(".5"), json!("-15m")]),
        ),
        ("meta.a__gt=\"-15m\"", Log::meta().key("a").gt("-15m")),
        ("meta.a__gt=2026-01", Log::meta().key("a").gt("2026-01")),
        ("meta.a__gt=v1.2", Log::meta().key("a").gt("v1.2")),
        (
            "meta.at__gte=2026-01-31",
            Log::meta().key("at").gte("2026-01-31"),
        ),
        ("meta.a__between=1,5", Log::meta().key("a").between(1, 5)),
        (
            "meta.a__notbetween=a,b",
            Log::meta().key("a").not_between("a", "b"),
        ),
        ("meta.a__contains=50%", Log::meta().key("a").contains("50%")),
        (
            "meta.a__contains=50%",
            Log::meta().key("a").like("%50\\%%") | Log::meta().key("a").array_contains(["50%"]),
        ),
        (
            "or(meta.a__contains=\"5\",id=1)",
            Log::meta().key("a").contains("5") | id().eq(1),
        ),
        (
            "not(meta.a__contains=\"5\")",
            !Log::meta().key("a").contains("5"),
        ),
        ("meta.a__ilike=\"x%\"", Log::meta().key("a").ilike("x%")),
        (
            "meta.tags__arraycontains=[\"a\",42]",
            Log::meta()
                .key("tags")
                .array_contains([json!("a"), json!(42)]),
        ),
        (
            "meta.tags__arrayoverlaps=a,\"42\"",
            Log::meta().key("tags").array_overlaps(["a", "42"]),
        ),
        (
            "meta.tags__arraycontained=",
            Log::meta().key("tags").array_contained::<&str>([]),
        ),
        (
            "or=(level=error,and(source=API,id__gte=7))",
            Log::level().eq("error") | (Log::source().eq("API") & id().gte(7)),
        ),
        (
            "or(level=error,level=warn)",
            Log::level().eq("error") | Log::level().eq("warn"),
        ),
        (
            " or( level=error , id__in=(1, 2) , source=\"a,)\" ) ",
            Log::level().eq("error") | id().is_in([1, 2]) | Log::source().eq("a,)"),
        ),
        ("not=(level=error)", Log::level().ne("error")),
        ("not(or(id=1,not(id=2)))", !(id().eq(1) | id().ne(2))),
        ("and()", Filter::all()),
        ("or()", Filter::none()),
        (
            "or(id__in=(),id__in=5,id__in=)",
            id().is_in::<i64>([]) | id().is_in([5]) | id().is_in::<i64>([]),
        ),
        (
            "or(meta.a__is=(1,\")\"),meta={\"a\":\",)\"},meta.b__arraycontains=[1,\")\"])",
            Log::meta().key("a").is_in([json!(1), json!(")")])
                | Log::meta().eq(json!({"a": ",)"}))
                | Log::meta().key("b").array_contains([json!(1), json!(")")]),
        ),
        ("deleted_at__isnull=false", Log::deleted_at().is_not_null()),
    ] {
        let read = parse(text);
        assert_eq!(read, typed, "{text}");
        let written = typed.to_text().expect(text);
        assert_eq!(parse(&written), typed, "{text} as {written}");
        let negated = (!typed.clone()).to_text().expect(text);
        assert_eq!(parse(&negated), !typed.clone(), "not {text} as {negated}");
        let grouped = (typed.clone() | Log::id().eq(1)).to_text().expect(text);
        assert_eq!(
            parse(&grouped),
            typed | Log::id().eq(1),
            "{text} in {grouped}"
        );
    }
    assert_eq!(
        Filter::<Metric>::parse("error_rate__gt=0.05").expect("a rate"),
        Metric::error_rate().gt(crate::value::ErrorRate::of(5, 100))
    );
    let rates = Metric::error_rate().is_in(
        [0.1, 0.000_001, 1.0].map(|rate| crate::value::ErrorRate::new(rate).expect("a rate")),
    );
    assert_eq!(
        rates.to_text().expect("text"),
        "error_rate__in=0.1,0.000001,1"
    );
    assert_eq!(
        Filter::parse("error_rate__in=0.1,0.000001,1").expect("rates"),
        rates
    );
}

#[test]
fn parse_all_and_from_query_combine_filters() {
    let all = Log::level().eq("error") & Log::source().eq("a&b c") & Log::id().is_in([1, 2]);
    assert_eq!(
        Filter::from_query("level=error&source=a%26b+c&&id__in=1%2c2").expect("a query"),
        all
    );
    assert_eq!(
        Filter::parse_all(["level=error", "and(source=\"a&b c\",id__in=(1,2))"]).expect("filters"),
        all
    );
    assert_eq!(
        Filter::from_query("").expect("nothing"),
        Filter::<Log>::all()
    );
    assert_eq!(
        Filter::from_query("or=(level=error,level=warn)&not=(id=1)").expect("a query"),
        (Log::level().eq("error") | Log::level().eq("warn")) & Log::id().ne(1)
    );
    assert_eq!(
        Filter::lookup("or", "(id=1,id=2)").expect("a group"),
        Log::id().eq(1) | Log::id().eq(2)
    );
    let now = "2026-03-01T10:00:00Z".parse().expect("a time");
    assert_eq!(
        Filter::parse_all_at(["created_at__between=-15m,now"], now).expect("times"),
        Log::created_at().between(
            "2026-03-01T09:45:00Z"
                .parse::<chrono::DateTime<chrono::Utc>>()
                .expect("a time"),
            now
        )
    );
    let error = Filter::<Log>::from_query("levle=error&id=x&source=%zz&%ff=1&level=warn")
        .expect_err("four errors");
    insta::assert_snapshot!(listed(&error));
    let error = Filter::<Log>::parse("or(levle=(a,\")\"),id=x,not(created_at=noon),source=a)")
        .expect_err("three errors");
    insta::assert_snapshot!(listed(&error));
}

#[test]
fn parse_of_invalid_filter_names_problem_and_expected_form() {
    let long = format!("source={}", "x".repeat(2_000_000));
    let messages = [
        refused::<Log>("level"),
        refused::<Log>(""),
        refused::<Log>("levle=error"),
        refused::<Log>("colour=red"),
        refused::<Log>("level__equals=error"),
        refused::<Log>("message__contain=x"),
        refused::<Log>("level=verbose"),
        refused::<Log>("created_at__gte=2026-01-32"),
        refused::<Log>("created_at__like=2026%"),
        refused::<Log>("id__contains=5"),
        refused::<Log>("id__arraycontains=5"),
        refused::<Log>("message__like=100\\"),
        refused::<Log>("message=a\0"),
        refused::<Log>("trace_id__isnull=yes"),
        refused::<Log>("id__in=1,,2"),
        refused::<Log>("id__in=1,"),
        refused::<Log>("source__in=\"a\"b"),
        refused::<Log>("source__in=\"a"),
        refused::<Log>("source__in=\"a\\n\""),
        refused::<Log>("id__between=1"),
        refused::<Log>("id__between=1,2,3"),
        refused::<Log>("level.x=1"),
        refused::<User>("email.x=1"),
        refused::<Log>("meta__like=x"),
        refused::<Log>("meta={a}"),
        refused::<Log>("meta.=1"),
        refused::<Log>("meta.a.\"b=1"),
        refused::<Log>("meta.a__foo=1"),
        refused::<Log>("meta.a__between=1,b"),
        refused::<Log>("meta.a__is=x"),
        refused::<Log>("meta.a__gt=1e999999"),
        refused::<Log>("or(level=error"),
        refused::<Log>("or(level=error)x"),
        refused::<Log>("or(level=error,)"),
        refused::<Log>("or(level)"),
        refused::<Log>("or(level=error;id=1)"),
        refused::<Log>("or(source=f(x))"),
        refused::<Log>("or(source=\"a\"b)"),
        refused::<Log>("or(id__in=(1,2)"),
        refused::<Log>("not(id=1,id=2)"),
        refused::<Log>("not()"),
        refused::<Log>(&"not(".repeat(100)),
        refused::<Log>(&long),
        refused::<RequestSnapshot>("status_code=abc"),
        refused::<RequestSnapshot>("status_code=99999999999"),
        refused::<User>("password_hash__like=$argon%"),
        refused::<Log>("embedding__isnull=true"),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn to_text_of_too_large_filter_is_an_error() {
    let mut deep = Log::id().eq(1);
    for id in 0..20_000 {
        deep = !(deep | Log::id().eq(id)) & Log::id().ne(id);
    }
    assert_eq!(
        deep.to_text().expect_err("too deep").to_string(),
        "filter: is nested more than 64 deep"
    );
    let wide = (0..20_000).fold(Filter::none(), |wide, id| wide | Log::id().eq(id));
    assert_eq!(
        wide.to_text().expect_err("too wide").to_string(),
        "filter: must have at most 1000 conditions; for many values of one field, use `in`"
    );
    // A long chain is not deep, whichever side it grows on.
    let left = (0..900).fold(Filter::none(), |all, id| all | Log::id().eq(id));
    let right = (0..900)
        .rev()
        .fold(Filter::none(), |all, id| Log::id().eq(id) | all);
    assert_eq!(left, right);
    assert_eq!(parse(&left.to_text().expect("text")), left);
    let many = Log::id()
        .is_in(0..1_000_001)
        .to_text()
        .expect_err("too many");
    assert_eq!(
        many.to_string(),
        "id: a list must have at most 1000000 values, got 1000001"
    );
}

#[test]
fn to_text_of_hidden_column_is_an_error() {
    let hidden = User::password_hash().eq("$argon2id$secret") | User::email().eq("a");
    assert_eq!(
        hidden.to_text().expect_err("hidden").to_string(),
        "password_hash: is hidden; text filters cannot use it"
    );
}

#[test]
fn json_path_over_100_keys_is_refused() {
    let keys = |count: usize| vec!["a"; count].join(".");
    let typed = |count| {
        let at = (0..count).fold(Log::meta().path("a"), |at, _| at.key("a"));
        at.eq(1)
    };
    assert_eq!(parse(&format!("meta.{}__is=1", keys(100))), typed(99));
    let message = "a path into JSON must have at most 100 keys, got";
    assert_eq!(
        typed(100).to_text().expect_err("101 keys").to_string(),
        format!("meta: {message} 101")
    );
    // Long enough to overflow the stack as a document.
    let error = typed(500_000).to_text().expect_err("too many").to_string();
    assert_eq!(error, format!("meta: {message} 500001"));
    let shown = format!("meta.{}…", &keys(100)[..55]);
    let error = refused::<Log>(&format!("meta.{}=1", keys(500_000)));
    assert_eq!(error, format!("{shown}: {message} 500000"));
    let error = refused::<Log>(&format!("or(id=1,meta.{}=1)", keys(500_000)));
    assert_eq!(error, format!("{shown}: {message} 500000"));
}

/// Each of these texts once took time with the square of its length: minutes for the longest.
#[test]
fn parse_scans_long_text_once() {
    let names = vec!["a"; 500_000].join(".");
    let error = refused::<Log>(&format!("{names}=1"));
    assert!(error.starts_with("a: is not a field of logs"), "{error}");

    let before = super::lexer::work::done();
    let items = vec!["1"; 300_000].join(",");
    assert_eq!(
        parse(&format!("id__in={items}")),
        Log::id().is_in(vec![1; 300_000])
    );
    parse(&format!("or(id__in=({items}))"));
    parse(&format!("meta.a__is={items}"));
    parse(&format!("or(meta.a__is=({items}))"));
    assert_eq!(super::lexer::work::done(), before);
    let error = refused::<Log>(&format!("id__in={items},"));
    assert_eq!(
        error,
        "id__in: at character 600001, an item of the list is missing; \"\" is the empty text"
    );
}

#[test]
fn error_of_long_unknown_name_truncates_it() {
    let long = "x".repeat(1_000_000);
    for text in [
        format!("{long}=1"),
        format!("{long}__gte=1"),
        format!("source__{long}=1"),
        format!("source.{long}=1"),
        format!("meta.{long}__gte=x\0"),
        format!("meta.{long}__nothing=1"),
        format!("meta.{long}\"=1"),
        format!("or({long}=1)"),
        format!("or(meta.{long}__like=\\)"),
        long.clone(),
    ] {
        let error = refused::<Log>(&text);
        assert!(error.len() < 1_000, "{} bytes", error.len());
        assert!(error.contains(&"x".repeat(40)), "{error}");
    }
    let error = Filter::<Log>::from_query(&format!("{long}=%")).expect_err("no byte");
    assert!(error.to_string().len() < 1_000);
    let error = crate::query::Order::<Log>::parse(&long).expect_err("no field");
    assert!(error.to_string().len() < 1_000);
}

/// Filters, orders and aggregates separate a field from its lookup in the same way.
#[test]
fn split_field_separates_field_and_lookup() {
    let split = |text| super::split_field(<Log as crate::Model>::TABLE, text);
    assert_eq!(split("created_at"), ("created_at", None));
    assert_eq!(split("created_at__gte"), ("created_at", Some("gte")));
    assert_eq!(split("a__b__gte"), ("a__b", Some("gte")));
    assert_eq!(split("__typename"), ("__typename", None));
    assert_eq!(split("meta.__z"), ("meta.__z", None));
    assert_eq!(split("meta.\"a__b\""), ("meta.\"a__b\"", None));
    assert_eq!(split("meta.\"a__b\"__is"), ("meta.\"a__b\"", Some("is")));
    let error = crate::query::Order::<Log>::parse("__typename").expect_err("no field");
    assert!(
        error.to_string().starts_with("__typename: is not a field"),
        "{error}"
    );
}

#[test]
fn lookups_have_distinct_names_and_operations() {
    let all = crate::filter::Lookup::all();
    for (index, lookup) in all.iter().enumerate() {
        for other in &all[..index] {
            let mut names = lookup.names();
            assert!(names.all(|name| other.names().all(|taken| taken != name)));
            let is_same = lookup.operation() == other.operation()
                && lookup.is_negated() == other.is_negated();
            assert!(!is_same, "{} and {}", lookup.name(), other.name());
        }
    }
}

#[test]
fn comparison_at_json_path_with_relative_time_or_odd_number_is_refused() {
    let now = "2026-03-01T10:20:30Z".parse().expect("a time");
    let error = |text: &str| {
        let error = Filter::<Log>::parse_all_at([text], now).expect_err(text);
        error.to_string()
    };
    insta::assert_snapshot!(
        [
            error("meta.at__gte=-15m"),
            error("meta.at__lt=today"),
            error("meta.at__between=-2h,now"),
            error("or(meta.at__gt=+1d)"),
            error("meta.ms__gt=10ms"),
            error("meta.version__gte=1.2.3"),
            error("meta.ms__gt=1_000"),
            error("meta.ms__lt=-0x10"),
            error("source=\"a\",b"),
            error("source=\"a"),
        ]
        .join("\n")
    );
}

#[test]
fn misspelled_field_lookup_or_path_is_corrected() {
    insta::assert_snapshot!(
        [
            "LEVEL=info",
            "Level__EQ=info",
            "level__EQ=info",
            "level__iContains=x",
            "OR=(level=info)",
            "meta.user__id=7",
            "meta.user.name__first=x",
            "meta.user__contain=x",
            "meta.user__GTE=7",
            "meta__user=7",
            "meta__user__id=7",
            "meta__user__id__gte=7",
            "created_at__gte=2026-01-31T08:30:00",
            "created_at__gte=2026-01-31 08:30",
        ]
        .map(refused::<Log>)
        .join("\n")
    );
}
