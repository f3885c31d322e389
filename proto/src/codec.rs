//! How messages are put into bytes and taken out: as prost does it, with small buffers to begin with.
//!
//! Each open stream has two buffers for as long as it lives. Ten thousand agents have a stream each and say a hundred bytes
//! now and then; eight kilobytes a buffer, which is what tonic begins with, would be most of what they cost the hub. Larger
//! messages make their buffer grow.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// What a buffer begins with, in bytes.
const BEGIN: usize = 512;
/// How much is put together before it is sent, in bytes: as tonic has it.
const TOGETHER: usize = 32 * 1024;

/// The codec of every method of `hadron.v1`.
#[derive(Debug)]
pub struct SmallBuffers<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallBuffers<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallBuffers<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BEGIN, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BEGIN, TOGETHER))
    }
}
