//! Protobuf's own JSON for the types of `buf generate`, which is Ingenium's wire format.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
};

use crate::v1::FILE_DESCRIPTOR_SET;

type Failure = Box<dyn std::error::Error + Send + Sync>;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // The global pool has Google's own types, such as Timestamp.
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("generated with the types");
    pool
});

/// Reads an event. A later version may send fields that this program does not know.
pub fn read<T: Message + Name + Default>(payload: &[u8]) -> Result<T, Failure> {
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let mut source = serde_json::Deserializer::from_slice(payload);
    let event =
        DynamicMessage::deserialize_with_options(descriptor::<T>(), &mut source, &options)?;
    source.end()?;
    Ok(event.transcode_to()?)
}

/// Writes an event. The format writes fields without presence even when they are empty.
pub fn write<T: Message + Name>(event: &T) -> Result<Vec<u8>, Failure> {
    let options = SerializeOptions::new().skip_default_fields(false);
    let mut dynamic = DynamicMessage::new(descriptor::<T>());
    dynamic.transcode_from(event)?;
    let mut payload = serde_json::Serializer::new(Vec::new());
    dynamic.serialize_with_options(&mut payload, &options)?;
    Ok(payload.into_inner())
}

fn descriptor<T: Name>() -> MessageDescriptor {
    POOL.get_message_by_name(&T::full_name()).expect("generated with the types")
}
