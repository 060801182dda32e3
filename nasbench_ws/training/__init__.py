"""Training and scoring of super-nets and children. Everything here needs torch."""
