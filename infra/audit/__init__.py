"""What Tocsin is built of: hashes, licences and the bill of materials of packages and jars."""
