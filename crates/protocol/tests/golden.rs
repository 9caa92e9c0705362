//! The bytes and digests that every version must keep: whoever changes one of these breaks every
//! receipt there is.

mod sample;

use expect_test::{Expect, expect};
use opensky_protocol::{
    Abort, Class, Digest, Group, Limits, Message, Outputs, Partition, Profile, Refusal, Request,
    Seal, Settlement, Statement, Transcript, Verified, Voucher, Work, World, codec, merkle_root,
    names,
};

/// Short values in full, long ones by length and digest.
fn check(bytes: &[u8], expected: Expect) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = if bytes.len() <= 400 {
        hex
    } else {
        format!("{} bytes, {}", bytes.len(), Digest::of(bytes))
    };
    expected.assert_eq(&text);
}

fn check_digest(digest: Digest, expected: Expect) {
    expected.assert_eq(&digest.to_string());
}

#[test]
fn work_unit_and_seed() {
    let work = sample::work();
    check(
        &codec::encode(&work),
        expect![
            "04300101010101010101010101010101010101010101010101010101010101010101000828646174612f612e637376030303030303030303030303030303030303030303030303030303030303030314696e707574020202020202020202020202020202020202020202020202020202020202020208082d760004104c414e470443081464657074680433106d6f646510666173740100000003000000090909090909090909090909090909090909090909090909090909090909090900f1536500000000e803000000000000000000400000000000000010000000000000100000000000"
        ],
    );
    check_digest(
        work.unit(),
        expect!["f387e2ad22ff84cc9cccf4010ecb2efc243e8cc06b7d506b708c69dbc9c7aff3"],
    );
    check_digest(
        Work::seed(&work.unit()),
        expect!["40216eff6615e475148d0a1cb35ef7ec11470ae49cddcd9a86659f6744c171ed"],
    );
}

/// The SDK's native test harness draws the same, by code of its own: it may not know this crate. Its
/// tests have this vector too.
#[test]
fn seed_of_a_step() {
    check_digest(
        Work::step_seed(&Digest([7; 32]), &Digest::of(b"[3,[]]")),
        expect!["6673b31836d2e81480fd1dd365cdb596f6af174be2e9383b41140bf48005d860"],
    );
}

#[test]
fn worlds_and_classes() {
    let worlds = [
        World::Job,
        World::Map { partitions: 5 },
        World::Reduce,
        World::Finish,
        World::Stepper { steps: 6 },
        World::Command,
    ];
    check(
        &codec::encode(&worlds),
        expect!["0001050000000203040600000005"],
    );
    let classes = [
        Class::Ok,
        Class::Err,
        Class::OutOfFuel,
        Class::Panic,
        Class::Trap,
        Class::Limit,
    ];
    check(&codec::encode(&classes), expect!["000102030405"]);
    check(
        &codec::encode(&Limits::DEFAULT),
        expect!["00e8764817000000000000400000000000000010000000000000100000000000"],
    );
}

#[test]
fn transcript() {
    let unit = sample::digest(1);
    check_digest(
        Transcript::start(&unit).root,
        expect!["8abdb7cf5fcf053f8bcbe81278c62af0351f318246abc477b2846588d47437af"],
    );
    let transcript = sample::transcript(&unit);
    check(
        &codec::encode(&transcript),
        expect![
            "20d9c0f40b45c27967138f400924448dbadc65b031dc8e26b0b6155b2b27cae402000000000000000884776173693a72616e646f6d2f72616e646f6d236765742d72616e646f6d2d75363404040404040404040404040404040404040404040404040404040404040404040505050505050505050505050505050505050505050505050505050505050505686f70656e736b793a636f6d707574652f7265706f7274236c6f6706060606060606060606060606060606060606060606060606060606060606060707070707070707070707070707070707070707070707070707070707070707"
        ],
    );
}

#[test]
fn compare_keys() {
    let key_under = |profile, class| {
        let [unit, output, transcript] = [1, 2, 3].map(sample::digest);
        let said = Statement {
            unit,
            class,
            output,
            output_len: 5,
            transcript,
            fuel: 4,
            profile: Profile::new(profile),
            ..sample::receipt().statement
        };
        said.key()
    };
    let key = |class| key_under("0", class);
    check_digest(
        key(Class::Ok),
        expect!["eaebdce8eaa859a031b423b0c8859a2545e4cfcf2c33a7b37ab5b4d40c0352a8"],
    );
    check_digest(
        key(Class::Err),
        expect!["297216729cc092f4f502d54a094a03d6140f5e2ab90c0d982c282ccf45e8c26e"],
    );
    check_digest(
        key(Class::OutOfFuel),
        expect!["2380c3771745842d989178784fcbde9e25a2d2f9699943b9495a70fcdf96ba97"],
    );
    check_digest(
        key(Class::Panic),
        expect!["ae96cf9f2e845baf59465e10d0f79b54a34f4b46135cbfd4362c5d81e3a184a4"],
    );
    check_digest(
        key(Class::Trap),
        expect!["4cd58121bb50a99ff1d0d868a77f7e728492bbebf111c0935611b226ada8c209"],
    );
    check_digest(
        key(Class::Limit),
        expect!["08da133d8150b9aa3524aaf6329495090f69d4a09155f3408759a11f44db6d22"],
    );
    check_digest(
        key_under("1", Class::Panic),
        expect!["4b2d504e068522bc4a58f61350446b9d9cc8c4b5df1d6b99422caf8f9b92b0d5"],
    );
    for class in [
        Class::Ok,
        Class::Err,
        Class::OutOfFuel,
        Class::Trap,
        Class::Limit,
    ] {
        assert_eq!(key_under("1", class), key(class), "{class}");
    }
}

#[test]
fn output_digests() {
    check_digest(
        Outputs::default().digest(),
        expect!["4f3ebca6131fb858fe07204b08c93da62c6a103f27ec7d4727f98a58aba3c60a"],
    );
    let one = sample::outputs(&[(names::OUTPUT, b"42")]);
    assert_eq!(one.digest(), Digest::of(b"42"));
    let two = sample::outputs(&[(names::OUTPUT, b"42"), ("out/a", b"")]);
    check(
        &codec::encode(&two),
        expect![
            "08146f75742f61af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f32620000000000000000186f7574707574da136474d7575c325f702bb7aa75f1123864033cc488bf7d9c074eadaf9bd0d30200000000000000"
        ],
    );
    check_digest(
        two.digest(),
        expect!["6990c3b65f46f5dec82933853d3d3a990e383344af56cabbde8c608cee1a6e22"],
    );
}

#[test]
fn names_of_inputs_and_outputs() {
    let all = [
        names::shard(7),
        names::partition(u32::MAX),
        names::blob(&sample::digest(0xab)),
        names::file("a/b"),
    ];
    expect![[r#"
        shard/00000007
        partition/4294967295
        blob/abababababababababababababababababababababababababababababababab
        out/a/b"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn receipt_file() {
    check(
        &sample::receipt().to_file(),
        expect!["832 bytes, 42422df6a0a45a003007a8cde841f1f23a40850481ceb6eb19a459f6b1c33e81"],
    );
    let mut ordered = sample::receipt();
    ordered.ticket = Some(sample::ticket(ordered.statement.unit));
    check(
        &ordered.to_file(),
        expect!["1163 bytes, 1eb4e63a84b1e01ece4491ab4ced41f4be68b34eee7dc3f223668be2a504be87"],
    );
}

#[test]
fn job_receipt_file() {
    let receipt = sample::map_reduce_receipt();
    check_digest(
        receipt.spec.id(),
        expect!["51a6b821cfcd2338f7e5efb130e45083453f927ad8a4ffd5b30cdc025f0fa132"],
    );
    check_digest(
        receipt.output,
        expect!["2f8bdc4303b3efffb9461170282c8f9844b7044095cec4775bf44d8ce93620d8"],
    );
    check(
        &receipt.to_file(),
        expect!["4708 bytes, b64714a3d1f270ead54defb34384b18c07120c0cdfff37d3ae0f94138a9104ed"],
    );
}

#[test]
fn ticket() {
    check(
        &codec::encode(&sample::ticket(sample::digest(1))),
        expect![
            "01010101010101010101010101010101010101010101010101010101010101010a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0100000000000000000000000000000002000000000000000000000000000000ffffffffffffffffffffffffffffffff02050000100000000000e80300000000000000000040000000000000001000000000000010000000000000505c18a3010000000000000100000000fa6afcfcdc96aa273f6444b0a963588a8ce195211794608b8347eee5067f1ee3299657606ceeca0007cc0cd1414f1743e6401efd6f7c7c015657d1e20198d106"
        ],
    );
}

#[test]
fn partition() {
    let mut partition = Partition::default();
    for (key, values) in [
        (&b"a"[..], vec![vec![1], vec![]]),
        (b"bc", vec![vec![2, 3]]),
    ] {
        let key = key.to_vec();
        partition.push(Group { key, values });
    }
    check(
        &codec::encode(&partition),
        expect!["0804610804010008626304080203"],
    );
}

#[test]
fn merkle_roots() {
    check_digest(
        merkle_root::<u8>([]),
        expect!["bc963296fcc3719e484828db9b65c897db657f7b6c0d2a517ed8881f89b87367"],
    );
    check_digest(
        merkle_root([1u8]),
        expect!["ce62a2727791e927ead65c87683912645202ba5c18b0b0612107f6c0f92da917"],
    );
    check_digest(
        merkle_root([1u8, 2, 3]),
        expect!["fb74a10f07f6e4c934d4a196b2c2e2eb47f4539d23e46bb31b4674b2b7c986c2"],
    );
}

/// One value of each signed kind, and its signature, which is deterministic.
#[test]
fn signed_values() {
    let secret = sample::other_secret();
    let seal = |bytes: Vec<u8>, seal: &Seal| [bytes, codec::encode(seal)].concat();
    let commit = Verified::sign(&secret, sample::commit());
    let voucher = Verified::sign(&secret, sample::voucher());
    check(
        &seal(codec::encode(&*commit), &commit.as_signed().seal),
        expect![
            "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0101010101010101010101010101010101010101010101010101010101010101030000001398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca82e001939fdea56a339ccda692586952866451829590c37dbb2578b307ecba35000000000100000000af6017e0de88c6ffc258b5cf7e944c06f1087ce944b32a6695fa56306a504cf259d18d292ac028422e08ffa1b412da046650cc91951e3f847e5de7750b445804"
        ],
    );
    check(
        &seal(codec::encode(&*voucher), &voucher.as_signed().seal),
        expect![
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0000000000000000400000000000000003000000000000000d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000000100000000a647d6934082ac7c24cda6970aea977deb348cd98e16f4b2359daad3e219584069349314a138af1b6ced09cace3334270b3edea6a8db4fd3c61e65cf82cd450c"
        ],
    );
    let summons = sample::summons();
    check(
        &seal(codec::encode(&summons.value), &summons.seal),
        expect![
            "1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0101010101010101010101010101010101010101010101010101010101010101030000001398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca82e001939fdea56a339ccda692586952866451829590c37dbb2578b307ecba350000000001000000001586e4d3ce8d1d355abe5775332eda342f7617fd6e4e3158fe626122ac4f4df24a1e30f8f03f974eaa460e93395382aa238a30516f87c0902d6bf0a80781640e"
        ],
    );
    let offer = Verified::sign(&secret, sample::offer());
    check(
        &codec::encode(offer.as_signed()),
        expect![
            "1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b040000000000000000505c18a3010000010000000000000000000000000000000200000000000000000000000000000003000000000000000000000000000000050000000000000000000000000000000200000000000400000000000000100000000000100000000000020000000040000000000404310418726567696f6e086575000000000100000000088e79333a21275851da04873a3b1961cb0f43dbd1d2903368a5b8dc85badf6d9fe424b3a6c17aa6c9205fe0cc62d8a041fde68eb5feea9feaac0730ca1aa307"
        ],
    );
    let deployment = Verified::sign(&secret, sample::deployment());
    check(
        &codec::encode(deployment.as_signed()),
        expect![
            "1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca2063656e7375732d32050505050505050505050505050505050505050505050505050505050505050500001000000000000100000000000000043100e876481700000000000040000000000000001000000000000010000000000001030018636f756e7473000000000100000000d49e10be80cfb8e7ffc0f963d25731019288a5561f7bfbd75a536f3d799245149c642740c532fa35d92508c0ea4e2770d160ecec5b4090234de85fc2a3d73e03"
        ],
    );
    check_digest(
        sample::deployment().id(),
        expect!["dce71a891b4d36afe34f3de6b8e7d0436058c4ba38aeb8770880ba7f886d0856"],
    );
    let root = Voucher::extend(&Voucher::START, &sample::digest(1), 2, 3);
    check_digest(
        root,
        expect!["9226f8ab7697cf2ea68b16fd2b95eba4f246e5e8e2c302bacc7ba647b12a6182"],
    );
}

#[test]
fn messages() {
    let turn = sample::commit().turn;
    let settle = Message::Settle(Box::new(Settlement {
        paid: vec![turn],
        refused: vec![],
        voucher: Some(Verified::sign(&sample::other_secret(), sample::voucher()).into_signed()),
    }));
    let messages = [
        Message::Assign(vec![]),
        Message::Accept(vec![turn]),
        Message::Refuse(vec![(turn, Refusal::Busy), (turn, Refusal::Invalid)]),
        Message::Commit(vec![]),
        Message::Open(vec![]),
        Message::Reveal(vec![]),
        Message::Abort(vec![(turn, Abort::Watchdog)]),
        settle,
        Message::Release(vec![]),
    ];
    let requests: Vec<Request> = messages.into_iter().map(Request::Message).collect();
    check(
        &codec::encode(&requests),
        expect!["630 bytes, 8baca69ee31f82603bda1eaf761012452b560ea900c2c72a9867cbea10c23723"],
    );
}
