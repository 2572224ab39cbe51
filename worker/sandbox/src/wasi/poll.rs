//! `poll_oneoff`: waiting for the first of several things to happen.

use super::{
    abi::{self, Errno, put},
    calls::{Answer, Call, Refusal},
    world::Stream,
};

/// Subscriptions in one call.
const SUBSCRIPTIONS_MAX: u32 = 1_024;

/// One thing a program waits for.
struct Subscription {
    token: [u8; 8],
    awaited: Awaited,
}

enum Awaited {
    /// A span of nanoseconds to pass.
    Clock(Result<u64, Errno>),
    /// A stream to be ready, to read or to write.
    Stream { fd: u32, kind: u8 },
}

/// Streams are always ready, so a program that waits for one goes on at once. One that waits for a
/// clock only finds the nearest time come: the clock is set forward to it, and nobody slept.
pub(crate) fn poll_oneoff(
    call: &mut Call<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    stored: u32,
) -> Answer {
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Err(Errno::Invalid.into());
    }
    call.charge(count.into(), 0)?;
    let mut waiting = Vec::with_capacity(count as usize);
    for index in 0..count {
        let offset = index * abi::SUBSCRIPTION_BYTES;
        let address = subscriptions.checked_add(offset).ok_or(Errno::Fault)?;
        waiting.push(parse(call, address)?);
    }

    let mut happened = Vec::with_capacity(count as usize);
    let nearest = nearest_nanos(&waiting);
    if let Some(nanos) = nearest {
        call.world.sleep(nanos);
    }
    for subscription in &waiting {
        match subscription.awaited {
            Awaited::Stream { fd, kind } => {
                happened.push(stream_event(call, subscription, fd, kind))
            }
            Awaited::Clock(Ok(nanos)) if nanos <= nearest.unwrap_or(0) => {
                happened.push(event(subscription, abi::EVENT_CLOCK, Ok(())));
            }
            Awaited::Clock(Ok(_)) => {}
            Awaited::Clock(Err(errno)) => {
                happened.push(event(subscription, abi::EVENT_CLOCK, Err(errno)));
            }
        }
    }
    call.memory.store(events, &happened.concat())?;
    let stored_count = u32::try_from(happened.len()).unwrap_or(count);
    Ok(call.memory.store(stored, &stored_count.to_le_bytes())?)
}

fn parse(call: &Call<'_>, address: u32) -> Result<Subscription, Refusal> {
    let layout: [u8; abi::SUBSCRIPTION_BYTES as usize] = call.memory.load(address)?;
    let token = field(&layout, 0);
    let awaited = match layout[8] {
        abi::EVENT_CLOCK => {
            let clock = u32::from_le_bytes(field(&layout, 16));
            let timeout = u64::from_le_bytes(field(&layout, 24));
            let absolute = u16::from_le_bytes(field(&layout, 40)) & abi::CLOCK_ABSOLUTE != 0;
            let realtime = clock == abi::CLOCK_REALTIME;
            let now = call.world.clock_nanos(call.meter.used(), realtime);
            // A program can wait for the two clocks that go on while it sleeps.
            Awaited::Clock(match (clock > 1, absolute) {
                (true, _) => Err(Errno::Invalid),
                (false, true) => Ok(timeout.saturating_sub(now)),
                (false, false) => Ok(timeout),
            })
        }
        kind @ (abi::EVENT_READ | abi::EVENT_WRITE) => Awaited::Stream {
            fd: u32::from_le_bytes(field(&layout, 16)),
            kind,
        },
        _ => return Err(Errno::Invalid.into()),
    };
    Ok(Subscription { token, awaited })
}

/// The `N` bytes of a layout from `at` on.
fn field<const N: usize>(layout: &[u8], at: usize) -> [u8; N] {
    layout
        .get(at..at + N)
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or([0; N])
}

/// How long to wait, if nothing but clocks is waited for.
fn nearest_nanos(waiting: &[Subscription]) -> Option<u64> {
    let spans = waiting
        .iter()
        .map(|subscription| match subscription.awaited {
            Awaited::Clock(Ok(nanos)) => Some(nanos),
            Awaited::Clock(Err(_)) | Awaited::Stream { .. } => None,
        });
    // One `None` among them makes all of it `None`.
    spans.collect::<Option<Vec<_>>>()?.into_iter().min()
}

fn stream_event(
    call: &mut Call<'_>,
    subscription: &Subscription,
    fd: u32,
    kind: u8,
) -> [u8; abi::EVENT_BYTES] {
    let stream = match (call.world.stream(fd), kind) {
        (Ok(Stream::Input), abi::EVENT_READ) => Ok(()),
        (Ok(Stream::Output | Stream::Diagnostics), abi::EVENT_WRITE) => Ok(()),
        _ => Err(Errno::BadFile),
    };
    let mut layout = event(subscription, kind, stream);
    if stream.is_ok() && kind == abi::EVENT_READ {
        let left = call
            .world
            .input_bytes()
            .saturating_sub(call.world.input_at());
        put(&mut layout, 16, &left.to_le_bytes());
    }
    layout
}

fn event(
    subscription: &Subscription,
    kind: u8,
    result: Result<(), Errno>,
) -> [u8; abi::EVENT_BYTES] {
    let mut layout = [0; abi::EVENT_BYTES];
    put(&mut layout, 0, &subscription.token);
    put(
        &mut layout,
        8,
        &result.map_or_else(Errno::code, |()| 0).to_le_bytes(),
    );
    put(&mut layout, 10, &[kind]);
    layout
}
