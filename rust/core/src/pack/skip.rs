//! What is not worth packing: formats that are packed already, and noise.
//!
//! Ground rules: the answer costs a few microseconds whatever the value's size, and a wrong one costs
//! time or space, never a value. Reads at most 4 KiB.

/// Why a value is kept as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skipped {
    /// Too small to gain anything.
    Small,
    /// It begins as a format that is packed already.
    Format,
    /// Its bytes look like noise.
    Noise,
    /// The last values of this tool and media type were not worth it.
    Verdict,
    /// It was packed, and the gain was too small.
    Poor,
}

impl Skipped {
    /// All reasons with the names that statistics give them.
    pub const NAMES: [&str; 5] = ["small", "format", "noise", "verdict", "poor"];

    /// Its place among the names.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Format => 1,
            Self::Noise => 2,
            Self::Verdict => 3,
            Self::Poor => 4,
        }
    }
}

/// Where a format's first bytes are, and what they are.
const MAGICS: [(usize, &[u8]); 12] = [
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"), // jpeg
    (0, b"GIF8"),
    (8, b"WEBP"),
    (0, b"PK\x03\x04"),       // zip, and with it docx, xlsx, jar
    (0, b"\x1f\x8b\x08"),     // gzip
    (0, b"\x28\xb5\x2f\xfd"), // zstd
    (0, b"\xfd7zXZ\x00"),
    (0, b"BZh"),
    (4, b"ftyp"), // mp4
    (0, b"OggS"),
    (0, b"%PDF-"),
];
const SAMPLES: usize = 4;
const SAMPLE_BYTES: usize = 1 << 10;
/// Of 8 bits a byte. Base64 has 6, minified JSON about 5, compressed data 7.9 and more.
const NOISE_BITS: f32 = 7.2;

/// Whether the first bytes are those of a packed format.
#[must_use]
pub fn is_packed_format(value: &[u8]) -> bool {
    MAGICS.iter().any(|&(place, magic)| {
        value
            .get(place..)
            .is_some_and(|rest| rest.starts_with(magic))
    })
}

/// Whether the bytes look like noise: their order-0 entropy, in four samples of 1 KiB.
#[must_use]
pub fn is_noise(value: &[u8]) -> bool {
    // A table a sample: the next byte need not wait for the last one's count.
    let mut tables = [[0_u16; 256]; SAMPLES];
    let mut counted = 0_u16;
    for (number, table) in tables.iter_mut().enumerate() {
        for &byte in sample(value, number) {
            table[usize::from(byte)] += 1;
            counted += 1;
        }
    }
    entropy(&tables, f32::from(counted)) > NOISE_BITS
}

/// The samples are spread over the value, from its first byte to its last.
fn sample(value: &[u8], number: usize) -> &[u8] {
    if value.len() <= SAMPLES * SAMPLE_BYTES {
        let quarter = value.len() / SAMPLES;
        return &value[number * quarter..(number + 1) * quarter];
    }
    let start = (value.len() - SAMPLE_BYTES) / (SAMPLES - 1) * number;
    &value[start..start + SAMPLE_BYTES]
}

fn entropy(tables: &[[u16; 256]; SAMPLES], counted: f32) -> f32 {
    let weighted: f32 = (0..256)
        .map(|byte| tables.iter().map(|table| table[byte]).sum::<u16>())
        .filter(|&count| count > 0)
        .map(|count| f32::from(count) * f32::from(count).log2())
        .sum();
    counted.log2() - weighted / counted
}
