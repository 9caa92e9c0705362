//! Programs run through the native harness: what they see, what they report, how they are driven.
use std::io::{Read, Seek, SeekFrom, Write};

use opensky::{Error, Finish, Level, MapReduce, Step, Stepper, blobs, test::Unit};
use serde::{Deserialize, Serialize};

fn describe(_: ()) -> Result<String, Error> {
    let time = opensky::virtual_time();
    let (index, count) = opensky::shard();
    let samples = opensky::param_or("samples", 16_u32)?;
    let names: Vec<_> = blobs::manifest()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let seed = opensky::seed()[0];
    Ok(format!("{time} {index}/{count} {samples} {names:?} {seed}"))
}

#[test]
fn a_job_sees_what_the_requester_set() {
    let unit = Unit::new()
        .param("samples", 4)
        .shard(2, 8)
        .virtual_time(5)
        .seed([9; 32]);
    let unit = unit.input("b", "later").input("a", "sooner");
    assert_eq!(
        unit.run(describe, ()).as_deref(),
        Ok(r#"5 2/8 4 ["a", "b"] 9"#)
    );
}

#[test]
fn a_parameter_that_does_not_parse_blames_the_input() {
    let unit = Unit::new().param("samples", "many");
    let refused = Error::invalid_input("parameter samples=many: invalid digit found in string");
    assert_eq!(unit.run(describe, ()), Err(refused));
}

fn tail_of_model(len: u64) -> Result<String, Error> {
    let mut model = blobs::open_named("model")?;
    model.seek(SeekFrom::End(-(len as i64)))?;
    let mut tail = String::new();
    model.read_to_string(&mut tail)?;
    assert_eq!(model.read(&mut [0; 4])?, 0, "the end stays the end");
    Ok(tail)
}

#[test]
fn inputs_are_read_by_name_and_seek() {
    let unit = Unit::new().input("model", "weights and biases");
    assert_eq!(unit.run(tail_of_model, 6).as_deref(), Ok("biases"));
    assert!(unit.run(tail_of_model, 1000).is_err());
    assert_eq!(
        Unit::new().run(tail_of_model, 1),
        Err(Error::invalid_input("there is no input model"))
    );
}

#[test]
fn an_input_larger_than_one_host_call_is_read_whole() {
    fn length(_: ()) -> Result<u64, Error> {
        let mut data = Vec::new();
        blobs::open_named("big")?.read_to_end(&mut data)?;
        assert!(
            data.iter()
                .enumerate()
                .all(|(i, &byte)| byte == (i % 251) as u8)
        );
        Ok(data.len() as u64)
    }
    let big: Vec<u8> = (0..3_000_001).map(|i| (i % 251) as u8).collect();
    assert_eq!(Unit::new().input("big", big).run(length, ()), Ok(3_000_001));
}

#[test]
fn outputs_are_found_by_digest_and_missing_blobs_are_named() {
    fn store(text: String) -> Result<String, Error> {
        let mut writer = blobs::Writer::new();
        writer.write_all(text.as_bytes())?;
        let written = writer.finish();
        assert_eq!(written, blobs::put(text.as_bytes()));
        Ok(written.to_string())
    }
    fn load(digest: String) -> Result<String, Error> {
        let mut text = String::new();
        blobs::open(digest.parse()?)?.read_to_string(&mut text)?;
        Ok(text)
    }
    let unit = Unit::new();
    let digest = unit
        .run(store, "kept".to_owned())
        .expect("nothing fails in it");
    let parsed = digest.parse().expect("a digest was printed");
    assert_eq!(unit.output(parsed).as_deref(), Some(&b"kept"[..]));
    assert_eq!(
        unit.run(load, digest.clone()),
        Err(Error::MissingBlob(parsed))
    );
    assert_eq!(
        Unit::new().input("x", "kept").run(load, digest).as_deref(),
        Ok("kept")
    );
}

#[test]
fn reports_are_kept_in_order() {
    fn chat(_: ()) -> Result<(), Error> {
        opensky::debug!("half of {}", 2);
        opensky::progress(1, 2);
        opensky::error!("done");
        opensky::progress(2, None);
        Ok(())
    }
    let unit = Unit::new();
    assert_eq!(unit.run(chat, ()), Ok(()));
    let lines = [
        (Level::Debug, "half of 2".to_owned()),
        (Level::Error, "done".to_owned()),
    ];
    assert_eq!(unit.logs(), lines);
    assert_eq!(unit.progress(), [(1, Some(2)), (2, None)]);
}

#[test]
fn random_numbers_come_from_the_seed_alone() {
    fn draw(_: ()) -> Result<u64, Error> {
        Ok(opensky::rng().next_u64())
    }
    let draw = |seed| Unit::new().seed([seed; 32]).run(draw, ());
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn a_jobs_own_error_type_is_reported_by_its_text() {
    fn refuse(_: String) -> Result<String, std::num::ParseIntError> {
        Ok("x".parse::<u8>()?.to_string())
    }
    let error = Error::failed("invalid digit found in string");
    assert_eq!(opensky::test::run(refuse, String::new()), Err(error));
}

#[test]
#[should_panic(expected = "outside a unit")]
fn a_host_call_outside_a_unit_says_so() {
    opensky::unit_id();
}

struct Longest;

#[opensky::map_reduce(finish)]
impl MapReduce for Longest {
    type Shard = String;
    type Key = (u32, String);
    type Value = String;
    type Output = Vec<String>;

    fn map(shard: String) -> Result<Vec<((u32, String), String)>, Error> {
        let (index, _) = opensky::shard();
        let words = shard.split_whitespace();
        let key = |word: &str| (word.len() as u32, word[..1].to_owned());
        Ok(words
            .map(|word| (key(word), format!("{word}@{index}")))
            .collect())
    }

    fn combine(_: &(u32, String), mut words: Vec<String>) -> Result<Vec<String>, Error> {
        assert!(words.len() > 1, "one value needs no combining");
        words.dedup();
        Ok(words)
    }

    fn reduce(_: (u32, String), words: Vec<String>) -> Result<Vec<String>, Error> {
        Ok(words)
    }
}

impl Finish for Longest {
    type Final = String;

    fn finish(reduced: Vec<((u32, String), Vec<String>)>) -> Result<String, Error> {
        let line = |((len, first), words): ((u32, String), Vec<String>)| {
            format!("{len}{first}:{}", words.join(","))
        };
        Ok(reduced.into_iter().map(line).collect::<Vec<_>>().join(" "))
    }
}

#[test]
fn map_reduce_brings_values_together_whatever_the_partitions() {
    let shards = ["to be to be", "not to bet", ""];
    let expected = "2b:be@0 2t:to@0,to@0,to@1 3b:bet@1 3n:not@1";
    for partitions in [1, 2, 7] {
        let unit = Unit::new().partitions(partitions);
        let output = unit.map_reduce_finish::<Longest>(shards);
        // "to" comes twice from shard 0, but not next to each other: "to be to be" is grouped by key.
        assert_eq!(
            output.as_deref(),
            Ok(expected.replace("to@0,to@0", "to@0").as_str())
        );
    }
}

struct Squares;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Square {
    of: i32,
    is: i32,
}

#[opensky::map_reduce]
impl MapReduce for Squares {
    type Shard = Vec<i32>;
    type Key = i32;
    type Value = ();
    type Output = Square;

    fn map(shard: Vec<i32>) -> Result<Vec<(i32, ())>, Error> {
        Ok(shard.into_iter().map(|n| (n, ())).collect())
    }

    fn reduce(of: i32, _: Vec<()>) -> Result<Square, Error> {
        Ok(Square { of, is: of * of })
    }
}

#[test]
fn outputs_without_a_finish_are_lines_in_key_order() {
    let output = Unit::new().map_reduce::<Squares>(["[3,-2]", "[1,3]"]);
    let lines = "{\"of\":-2,\"is\":4}\n{\"of\":1,\"is\":1}\n{\"of\":3,\"is\":9}\n";
    assert_eq!(output.as_deref(), Ok(lines.as_bytes()));
    assert!(matches!(
        Unit::new().map_reduce::<Squares>(["3"]),
        Err(Error::InvalidInput(_))
    ));
}

#[test]
fn partitions_are_joined_in_order_and_lose_nothing() {
    let shards: Vec<String> = (0..4).map(|i| format!("[{},{}]", i, i + 10)).collect();
    let output = Unit::new().partitions(3).map_reduce::<Squares>(&shards);
    let output = String::from_utf8(output.expect("nothing fails in it")).expect("JSON is text");
    let mut of: Vec<i32> = output
        .lines()
        .map(|line| {
            serde_json::from_str::<Square>(line)
                .expect("a line is a square")
                .of
        })
        .collect();
    assert!(!of.is_sorted(), "keys are spread over the partitions");
    of.sort();
    assert_eq!(of, [0, 1, 2, 3, 10, 11, 12, 13]);
}

struct Where;

#[opensky::map_reduce]
impl MapReduce for Where {
    type Shard = String;
    type Key = String;
    type Value = ();
    type Output = String;

    fn map(shard: String) -> Result<Vec<(String, ())>, Error> {
        Ok(vec![(shard, ())])
    }

    fn reduce(key: String, _: Vec<()>) -> Result<String, Error> {
        let (index, count) = opensky::shard();
        Ok(format!("{key} {index}/{count}\n"))
    }
}

/// As on the network: a reduce unit is one partition of all.
#[test]
fn reduce_is_told_which_partition_it_is() {
    let output = Unit::new()
        .partitions(3)
        .map_reduce::<Where>(["a", "b", "c", "d", "e", "f", "g"]);
    let output = String::from_utf8(output.expect("nothing fails in it")).expect("it is text");
    let seen: Vec<&str> = output.lines().map(|line| &line[2..]).collect();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!((seen.first(), seen.last()), (Some(&"0/3"), Some(&"2/3")));
}

#[test]
fn no_write_is_more_than_the_host_takes_at_once() {
    fn store(_: ()) -> Result<u64, Error> {
        let data = vec![1; 3 << 20];
        let mut writer = blobs::Writer::new();
        let first = writer.write(&data)?;
        writer.write_all(&data[first..])?;
        writer.finish();
        Ok(first as u64)
    }
    let unit = Unit::new();
    assert_eq!(unit.run(store, ()), Ok(1 << 20));
}

struct Countdown;

#[opensky::stepper]
impl Stepper for Countdown {
    type Input = u32;
    type State = (u32, Vec<u32>);
    type Output = Vec<u32>;

    fn init(from: u32) -> Result<(u32, Vec<u32>), Error> {
        Ok((from, Vec::new()))
    }

    fn step((n, mut seen): (u32, Vec<u32>)) -> Result<Step<(u32, Vec<u32>), Vec<u32>>, Error> {
        if n == 13 {
            return Err(Error::failed("bad luck"));
        }
        seen.push(n);
        Ok(if n == 0 {
            Step::Done(seen)
        } else {
            Step::More((n - 1, seen))
        })
    }
}

/// Goes from 3 down to 0 and keeps what it is given to draw from.
struct Seeds;

#[opensky::stepper]
impl Stepper for Seeds {
    type Input = u32;
    type State = (u32, Vec<String>);
    type Output = Vec<String>;

    fn init(from: u32) -> Result<(u32, Vec<String>), Error> {
        assert_eq!(opensky::seed(), [7; 32], "the unit's own");
        Ok((from, Vec::new()))
    }

    fn step((n, mut seen): Self::State) -> Result<Step<Self::State, Vec<String>>, Error> {
        opensky::info!("{n} to go");
        let seed = opensky::Digest::from_bytes(opensky::seed());
        seen.push(seed.to_string());
        let more = |n| Step::More((n, seen.clone()));
        Ok(n.checked_sub(1).map_or(Step::Done(seen.clone()), more))
    }
}

/// The vector is among the golden bytes of the protocol too, where the sandbox draws from.
#[test]
fn every_step_draws_from_its_own_seed_as_in_the_sandbox() {
    let unit = Unit::new().seed([7; 32]);
    let seen = unit.stepper::<Seeds>(3).expect("nothing fails in it");
    let from_the_first_state = "6673b31836d2e81480fd1dd365cdb596f6af174be2e9383b41140bf48005d860";
    assert_eq!(seen[0], from_the_first_state);
    let different: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(different.len(), 4, "{seen:?}");
    assert_eq!(
        unit.stepper::<Seeds>(3),
        Ok(seen),
        "the unit's seed is back"
    );
    assert_eq!(unit.logs().len(), 8, "what steps report is kept");
}

#[test]
fn a_stepper_goes_on_to_its_end_or_its_error() {
    assert_eq!(Unit::new().stepper::<Countdown>(3), Ok(vec![3, 2, 1, 0]));
    assert_eq!(
        Unit::new().stepper::<Countdown>(15),
        Err(Error::failed("bad luck"))
    );
}
