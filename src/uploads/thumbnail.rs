//! A small picture of an image. What decoding may cost is bounded before it begins: a file of some kilobytes can say
//! that it has a thousand million pixels.

use std::fs::File;
use std::io::{BufReader, Cursor};

use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};

/// No side is longer, in pixels.
const LONGEST_SIDE: u32 = 400;
/// Images with a longer side are not decoded, in pixels.
const LARGEST_IMAGE: u32 = 10_000;
/// Decoding may take so much memory, in bytes.
const MEMORY: u64 = 128 * 1024 * 1024;

/// A small picture: its media type and its bytes.
#[derive(Debug)]
pub struct Thumbnail {
    /// `image/jpeg`, or for what can be seen through `image/png`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Makes the small picture of a file, upright (EXIF orientation).
///
/// # Errors
/// Why there can be none: it is broken, too large, or no image at all.
pub fn make(file: File, media_type: &str) -> Result<Thumbnail, String> {
    let format = ImageFormat::from_mime_type(media_type).ok_or("is of no known format")?;
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_IMAGE);
    limits.max_image_height = Some(LARGEST_IMAGE);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits.clone());
    let said = |error: image::ImageError| error.to_string();
    let mut decoder = reader.into_decoder().map_err(said)?;
    limits.reserve(decoder.total_bytes()).map_err(said)?;
    let orientation = decoder.orientation().map_err(said)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(said)?;
    if image.width() > LONGEST_SIDE || image.height() > LONGEST_SIDE {
        image = image.thumbnail(LONGEST_SIDE, LONGEST_SIDE);
    }
    image.apply_orientation(orientation);
    let (format, media_type, image) = if image.color().has_alpha() {
        (ImageFormat::Png, "image/png", DynamicImage::from(image.into_rgba8()))
    } else {
        (ImageFormat::Jpeg, "image/jpeg", DynamicImage::from(image.into_rgb8()))
    };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).map_err(said)?;
    Ok(Thumbnail { media_type, bytes: bytes.into_inner() })
}
