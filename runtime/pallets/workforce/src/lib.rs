//! Workers' bonds, their devices and the devices' record.
