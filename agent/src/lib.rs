//! What the `wirespan` binary is made of: the parts that own its threads,
//! sockets, files and clocks. The engine itself is `wirespan-stitch`.

pub mod cli;
pub mod doctor;
pub mod export;
pub mod outputs;
pub mod probe;
pub mod process;
pub mod recording;

#[cfg(test)]
pub(crate) mod testing;
