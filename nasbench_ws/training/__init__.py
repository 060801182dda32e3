"""Training and scoring of super-nets and children: needs torch, but for the files of a build."""
