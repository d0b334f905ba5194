//! signpost: firmware of an edge camera.
