//! Protobuf's own JSON for the types of `buf generate`, which is Ingenium's wire format.

use std::sync::{LazyLock, PoisonError, RwLock};

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};

use crate::Error;
use crate::v1::FILE_DESCRIPTOR_SET;

static POOL: LazyLock<RwLock<DescriptorPool>> = LazyLock::new(|| {
    // The global pool has Google's own types, such as Timestamp.
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("generated with the types");
    RwLock::new(pool)
});

/// Adds the schema of types of your own: the `FILE_DESCRIPTOR_SET` that protoc-gen-prost writes with
/// its option `file_descriptor_set`. `enable_type_names` is needed, too.
pub fn add_schema(file_descriptor_set: &[u8]) -> Result<(), Error> {
    let mut pool = POOL.write().unwrap_or_else(PoisonError::into_inner);
    Ok(pool.decode_file_descriptor_set(file_descriptor_set)?)
}

/// Reads a message. A later version may send fields that this program does not know.
pub fn read<T: Message + Name + Default>(payload: &[u8]) -> Result<T, Error> {
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let mut source = serde_json::Deserializer::from_slice(payload);
    let event =
        DynamicMessage::deserialize_with_options(descriptor::<T>()?, &mut source, &options)?;
    source.end()?;
    Ok(event.transcode_to()?)
}

/// Writes a message. The format has fields without presence even when they are empty.
pub fn write<T: Message + Name>(event: &T) -> Result<Vec<u8>, Error> {
    let options = SerializeOptions::new().skip_default_fields(false);
    let mut dynamic = DynamicMessage::new(descriptor::<T>()?);
    dynamic.transcode_from(event)?;
    let mut payload = serde_json::Serializer::new(Vec::new());
    dynamic.serialize_with_options(&mut payload, &options)?;
    Ok(payload.into_inner())
}

fn descriptor<T: Name>() -> Result<MessageDescriptor, Error> {
    let pool = POOL.read().unwrap_or_else(PoisonError::into_inner);
    let name = T::full_name();
    pool.get_message_by_name(&name)
        .ok_or_else(|| format!("{name} has no schema here: call ingenium::json::add_schema").into())
}
