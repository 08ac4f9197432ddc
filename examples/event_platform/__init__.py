"""An event platform that lives on Ostiary: rooms with participants, prizes, and draws that anybody can check afterwards."""
