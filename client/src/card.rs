//! TODO card
