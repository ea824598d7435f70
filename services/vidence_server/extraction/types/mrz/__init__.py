"""Machine readable zones as ICAO Doc 9303 (8th edition, parts 3 to 7) lays them out."""
