//! The `pcim` program as its users meet it: processes, files, exit codes, a real chain and real nodes.

#![allow(clippy::unwrap_used)]

mod account;
mod agent;
mod audit;
mod backup;
mod canary;
mod chain;
mod check;
mod deid;
mod deploy;
mod disk;
mod documents;
mod flow;
mod follower;
mod gateway;
mod help;
mod homes;
mod inputs;
mod interrupted;
mod invite;
mod killed;
mod life;
mod lifecycle;
mod locks;
mod mail;
mod network;
mod older;
mod ordered;
mod peers;
mod program;
mod receipts;
mod relay;
mod repo;
mod report;
mod rescue;
mod review;
mod rpc;
mod stage;
mod study;
mod transcripts;
mod trust;
mod usage;
mod view;
mod watch;
