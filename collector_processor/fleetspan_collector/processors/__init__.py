"""What looks at runs once they are derived, and says what it found."""
