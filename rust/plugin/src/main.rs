//! protoc-gen-prost in the version of Cargo.lock, for `buf generate`.

use std::io::{Read, Write, stdin, stdout};

use prost::Message;
use protoc_gen_prost::GeneratorResultExt;

fn main() -> std::io::Result<()> {
    let mut request = Vec::new();
    stdin().read_to_end(&mut request)?;
    let response = protoc_gen_prost::execute(&request).unwrap_codegen_response();
    stdout().write_all(&response.encode_to_vec())
}
