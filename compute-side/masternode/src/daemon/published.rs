//! Where this masternode is reached, as the chain tells owners and devices.

use super::Shared;
use crate::{config::Config, watcher::Silence};
use anyhow::Context as _;
use quern_ledger::{Call, Endpoints};
use quern_network::ServerHandle;
use std::net::{IpAddr, SocketAddr};

/// An address that the chain would tell in vain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum AddressError {
    /// Owners cannot reach the Jobs API.
    #[error(
        "public_jobs_api: owners elsewhere cannot reach {jobs_api}; give the address of the proxy, such as wss://grid.example.org"
    )]
    JobsApi {
        /// Where it would be.
        jobs_api: String,
    },
    /// Devices cannot connect.
    #[error(
        "public_addresses: devices elsewhere can reach none of {}; give those that lead here, such as /dns4/grid.example.org/tcp/4500",
        addresses.join(", ")
    )]
    Devices {
        /// Where they would connect.
        addresses: Vec<String>,
    },
}

/// Tells the chain where this masternode is reached, if it does not know; again if the node is away
/// meanwhile.
pub(super) async fn publish_at_last(
    shared: &Shared,
    config: &Config,
    server: &ServerHandle,
    api: SocketAddr,
) -> anyhow::Result<()> {
    let mut silence = Silence::default();
    loop {
        match publish(shared, config, server, api).await {
            Ok(()) => return Ok(()),
            Err(error) => silence.bear(error).await?,
        }
    }
}

/// Tells the chain where this masternode is reached, if it does not know. Refuses addresses that lead
/// nobody here, unless the whole chain is for trying things out on one machine.
async fn publish(
    shared: &Shared,
    config: &Config,
    server: &ServerHandle,
    api: SocketAddr,
) -> anyhow::Result<()> {
    let addresses = server.listen_addresses().iter().map(ToString::to_string);
    let endpoints = Endpoints {
        network_key: server.network_key(),
        sealing_key: shared.sealing.public(),
        device_addresses: config
            .public_addresses
            .clone()
            .unwrap_or_else(|| addresses.collect()),
        jobs_api: config
            .public_jobs_api
            .clone()
            .unwrap_or_else(|| format!("ws://{api}")),
    };
    if !shared.chain.is_for_trials().await? {
        check(&endpoints)?;
    }
    let me = shared.account.id();
    let known = shared.chain.at_finalised().await?.masternodes().await?;
    let current = known.into_iter().find(|known| known.account == me);
    let is_current = current.is_some_and(|known| {
        known.network_key == endpoints.network_key
            && known.sealing_key == endpoints.sealing_key
            && known.jobs_api == endpoints.jobs_api.as_bytes()
            && known.device_addresses.iter().eq(endpoints
                .device_addresses
                .iter()
                .map(|address| address.as_bytes()))
    });
    if !is_current {
        tracing::info!(
            jobs_api = endpoints.jobs_api,
            "publishing where this masternode is reached"
        );
        let call = Call::PublishEndpoints(endpoints);
        shared.chain.submit(&shared.account, &call).await.context(
            "the chain does not take this masternode's addresses; the council must admit its account first",
        )?;
    }
    Ok(())
}

/// Whether owners elsewhere reach the Jobs API, and devices elsewhere one of the addresses.
fn check(endpoints: &Endpoints) -> Result<(), AddressError> {
    let (jobs_api, addresses) = (&endpoints.jobs_api, &endpoints.device_addresses);
    if !is_reachable_from_elsewhere(jobs_api) {
        return Err(AddressError::JobsApi {
            jobs_api: jobs_api.clone(),
        });
    }
    let mut reachable = addresses.iter();
    if !reachable.any(|address| is_reachable_from_elsewhere(address)) {
        return Err(AddressError::Devices {
            addresses: addresses.clone(),
        });
    }
    Ok(())
}

/// Whether a URL or multiaddr may lead to this machine from others. One with a loopback or an
/// unspecified address leads whoever follows it to themselves.
fn is_reachable_from_elsewhere(address: &str) -> bool {
    let Some(host) = host_of(address).filter(|host| !host.is_empty()) else {
        return false;
    };
    match host.parse::<IpAddr>() {
        Ok(ip) => {
            let ip = ip.to_canonical();
            !ip.is_loopback() && !ip.is_unspecified()
        }
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            name != "localhost" && !name.ends_with(".localhost")
        }
    }
}

/// The host that a URL or multiaddr names.
fn host_of(address: &str) -> Option<&str> {
    if let Some(parts) = address.strip_prefix('/') {
        // What kind of address it is, and then the address.
        return parts.split('/').nth(1);
    }
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(ip) => ip.split(']').next(),
        None => host.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{DeviceId, SealingKey};

    #[test]
    fn an_address_of_the_own_machine_is_reached_by_nobody_else() {
        for address in [
            "ws://127.0.0.1:9955",
            "ws://0.0.0.0:9955",
            "ws://[::1]:9955/jobs",
            "ws://[::]:9955",
            "ws://[::ffff:127.0.0.1]:9955",
            "wss://LocalHost",
            "ws://me@localhost.:9955",
            "/ip4/127.0.0.1/tcp/4500",
            "/ip4/0.0.0.0/udp/4500/quic-v1",
            "/ip6/::1/tcp/4500",
            "/dns4/localhost/tcp/4500",
            "grid.example.org",
            "ws://",
            "",
        ] {
            assert!(!is_reachable_from_elsewhere(address), "{address}");
        }
        for address in [
            "wss://grid.example.org",
            "ws://192.168.1.7:9955",
            "ws://[2001:db8::1]:9955",
            "wss://grid.example.org:443/jobs?a=localhost",
            "/dns4/grid.example.org/udp/4500/quic-v1",
            "/ip4/192.168.1.7/tcp/4500",
            "/ip6/2001:db8::1/tcp/4500",
        ] {
            assert!(is_reachable_from_elsewhere(address), "{address}");
        }
    }

    #[test]
    fn one_address_that_leads_here_is_enough_for_devices() {
        let endpoints = |jobs_api: &str, addresses: &[&str]| Endpoints {
            network_key: DeviceId([1; 32]),
            sealing_key: SealingKey([2; 32]),
            device_addresses: addresses.iter().map(ToString::to_string).collect(),
            jobs_api: jobs_api.to_owned(),
        };
        let (own, known) = ("/ip4/127.0.0.1/tcp/4500", "/ip4/192.168.1.7/tcp/4500");
        let api = "wss://grid.example.org";
        assert_eq!(check(&endpoints(api, &[own, known])), Ok(()));
        let error = check(&endpoints("ws://127.0.0.1:9955", &[known])).err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("cannot reach ws://127.0.0.1:9955"), "{text}");
        let error = check(&endpoints(api, &[own])).err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("can reach none of /ip4/127.0.0.1"), "{text}");
    }
}
