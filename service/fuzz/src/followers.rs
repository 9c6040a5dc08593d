//! What clients and servers say to each other, past the followers of the middle agents. The first byte of the input says
//! which protocol, in pieces of which length, and whether calls are failed; the rest is said twice, by the client and
//! by the server. `service/fuzz/run.sh` builds and runs it.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The files of the validator themselves: of its whole library only these are built.
#[path = "../../../validator/src/middle"]
#[expect(dead_code, reason = "what the agent says in place of others is not said here")]
mod middle {
    mod call;
    mod miss;
    mod postgres;
    mod redis;
    mod resp;
    mod wire;

    use miss::Miss;
    use postgres::{Backend, Frontend};
    use redis::{Commands, Replies, miss};
    use wire::{Head, Wire};

    /// What the follower of a client made of its bytes.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Followed {
        calls: Vec<u64>,
        passed: usize,
        raw: bool,
    }

    /// Feeds bytes piece by piece, as the agent does: what is not understood stands at the begin again.
    fn follow(
        bytes: &[u8],
        size: usize,
        mut head: impl FnMut(&[u8]) -> Head,
        mut call: impl FnMut(&mut [u8]),
    ) -> Followed {
        let (mut followed, mut buffer) = (Followed::default(), Vec::new());
        for piece in bytes.chunks(size) {
            buffer.extend_from_slice(piece);
            while !buffer.is_empty() {
                let length = match head(&buffer) {
                    Head::Partial => break,
                    Head::Raw | Head::Stream => {
                        followed.raw = true;
                        return followed;
                    }
                    Head::Pass(length)
                    | Head::Ask(length, _)
                    | Head::Startup(length)
                    | Head::Drop(length) => length,
                    Head::Call { length, mark, .. } => {
                        followed.calls.push(mark);
                        call(&mut buffer[..length]);
                        length
                    }
                };
                assert!((1..=buffer.len()).contains(&length), "{length} of {}", buffer.len());
                buffer.drain(..length);
                followed.passed += length;
            }
        }
        followed
    }

    pub(super) fn follow_postgres(bytes: &[u8], size: usize, fail: bool) {
        let (wire, mut frontend, mut backend) = (Wire::default(), Frontend::default(), Backend::default());
        let followed = follow(
            bytes,
            size,
            |buffer| frontend.head(buffer, &wire),
            |_| {
                if fail {
                    wire.ask(1);
                    wire.fail(0, "53300".into());
                }
            },
        );
        assert!(followed.passed <= bytes.len());
        for piece in bytes.chunks(size) {
            let changing = wire.is_changing();
            let passed = backend.read(piece, &wire);
            assert!(passed.is_none() || changing || fail, "nobody asked for something else");
        }
    }

    pub(super) fn follow_redis(bytes: &[u8], size: usize, fail: bool) {
        let said = |size| {
            let mut commands = Commands::default();
            follow(
                bytes,
                size,
                |buffer| commands.head(buffer),
                |command| {
                    miss(command);
                },
            )
        };
        // Commands are the same however they are cut; of one that cannot be read it may be noticed sooner or later.
        let (whole, cut) = (said(bytes.len().max(1)), said(size));
        assert!(whole.raw || cut.raw || whole == cut, "{whole:?} {cut:?}");
        let (wire, mut replies) = (Wire::default(), Replies::default());
        if fail {
            wire.ask(2);
            wire.fail(0, "READONLY".into());
            wire.miss(Miss::Nil);
            wire.ask(1);
        }
        let mut said = 0;
        for piece in bytes.chunks(size) {
            said += replies.read(piece, &wire).map_or(piece.len(), |passed| passed.len());
        }
        assert!(fail || said == bytes.len(), "every byte goes on");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((how, bytes)) = input.split_first() else { return };
    let size = usize::from(how >> 2) + 1;
    let fail = how & 2 == 2;
    if how & 1 == 1 {
        middle::follow_postgres(bytes, size, fail)
    } else {
        middle::follow_redis(bytes, size, fail)
    }
});
