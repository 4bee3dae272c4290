"""The media worker: uploaded photos are scanned, validated and rendered; nothing of the upload itself is served."""
