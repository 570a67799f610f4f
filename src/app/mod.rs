//! LAYER 1: the use cases, one a file, named as their commands. They return
//! data, never print, and know the world only through [`ports`].

pub mod ports;
