"""Driving licences of North America: the AAMVA standard's PDF417 code, all versions."""
