//! Peers: authenticated, admitted connections that carry the protocol.
