//! Holds the house rules: floors, pure rooms, licences, sources, duplicate versions.
