//! The images that reports show.

/// The images of a report, as the bytes of PNG or JPEG files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pictures {
    /// The images of each class, in the order of the table.
    pub(crate) classes: Vec<ClassPictures>,
}

/// The images of one class.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassPictures {
    /// The prototypes, in the order of the class; fewer or none if there are no images to show.
    pub(crate) prototypes: Vec<Vec<u8>>,
    /// The names and images of the controls.
    pub(crate) controls: Vec<(String, Vec<u8>)>,
    /// A few natural images of the class.
    pub(crate) natural: Vec<Vec<u8>>,
}

/// The images of a part of a study, as the bytes of PNG or JPEG files.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartPictures {
    /// The prototypes, in the order of the part.
    pub(crate) prototypes: Vec<Vec<u8>>,
    /// A few images of each group.
    pub(crate) groups: Vec<Vec<Vec<u8>>>,
}

/// A prototype that judges saw.
pub(crate) struct PrototypePicture {
    pub(crate) folder: String,
    /// The name of its class.
    pub(crate) class: String,
    /// The bytes of a PNG or JPEG file.
    pub(crate) file: Vec<u8>,
}

/// The region of an image, as the bytes of PNG files.
pub(crate) struct IsolatedPictures {
    pub(crate) image: Vec<u8>,
    /// White where the region is.
    pub(crate) mask: Vec<u8>,
    /// The region on the background.
    pub(crate) kept: Vec<u8>,
    /// The rest, with the background in place of the region.
    pub(crate) without: Vec<u8>,
}
