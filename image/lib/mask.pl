#!/usr/bin/perl
# mask.pl PIPE_OUT PIPE_ERR: copies what is written into two named pipes to standard output and standard error, with the
# secrets in it replaced. Everything else passes as it is, bytes and colours alike.
#
# Standard input brings the texts to work with, each ended by a NUL: first the mark that ends both streams, then the
# secrets. The mark travels in the pipes, behind all that was written before it, so nothing of a log is lost at its end.
# Exit code: 0 at the end of both streams.
use strict;
use warnings;

my $masked = '[masked]';
my $shown = 6;               # characters by which a secret is recognized where the rest of it is missing
my $patience = 0.5;          # seconds to wait for the rest of a line
my $longest = 256 * 1024;    # bytes to keep of a line that does not end
my $tail    = 8192;          # bytes that hold the longest secret, however it is written

# Perl's own messages may show the text that they are about.
$SIG{__WARN__} = sub { };
$SIG{__DIE__} = sub { syswrite STDERR, "mask.pl failed in line " . (caller)[2] . "\n"; exit 1 };

my ($end, @secrets) = do { local $/; split /\0/, <STDIN> };
die "no secrets were given\n" unless defined $end && length $end;

# The node decides when it is over, not a signal to the whole process group.
$SIG{$_} = 'IGNORE' for qw(HUP INT QUIT TERM PIPE);

# All the ways in which Kazoo writes a text: as it is, percent-encoded, within an Erlang string or atom, as Latin-1 that
# became UTF-8.
sub forms {
    my ($text) = @_;
    my ($string, $atom, $upper, $utf8) = ($text) x 4;
    $string =~ s/([\\"])/\\$1/g;
    $atom =~ s/([\\'])/\\$1/g;
    $upper =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    utf8::encode($utf8);
    (my $escaped = $string) =~ s/([\x80-\xff])/sprintf '\x{%X}', ord $1/ge;
    my %unique = map { $_ => 1 } $text, $string, $atom, $upper, $utf8, $escaped;
    return keys %unique;
}

# A short secret is a word like others, so it is replaced only where credentials are written. The word itself comes first,
# since Perl finds a fixed text fastest.
sub in_place {
    my $form = quotemeta shift;
    my $word_ends = '(?![\w\@])';
    return "$form(?:(?<=[\"']$form)(?=[\"'])|(?<=:$form)(?=\@)|(?<=cookie,$form)$word_ends|(?<=cookie to $form)$word_ends)";
}

# encoded(TEXT): the text with any of its bytes percent-encoded. Encoders differ in which they leave as they are.
sub encoded {
    return join '', map { sprintf '(?:%%(?i:%02x)|%s)', ord, quotemeta } split //, shift;
}

# Erlang's pretty printer spreads long strings over several lines, each in quotes of its own.
my $seam = '(?:"\n[ \t]*")?';

# spread(FORM): the form with such seams.
sub spread {
    return join $seam, map { quotemeta } split //, shift;
}

my (@whole, @short, @encoded, @spread, %forms_by_head);
for my $secret (grep { length } @secrets) {
    my @forms = forms($secret);
    if (length $secret < 8) {
        push @short, map { in_place($_) } @forms;
        next;
    }
    my @numbers = unpack 'C*', $secret;
    push @whole, @forms, join ',', @numbers;
    push @encoded, encoded($secret);
    push @spread, (map { spread($_) } @forms), join ',\s*', @numbers;
    push @{ $forms_by_head{ substr $_, 0, $shown } }, $_ for @forms;
}

sub any { my @patterns = @_; return @patterns ? do { my $any = join '|', @patterns; qr/$any/ } : qr/(?!)/ }

# Literal texts alone, the longest first: Perl searches for all of them at once.
my $any_whole = any(map { quotemeta } sort { length $b <=> length $a } @whole);
my $any_short = any(@short);
my $any_encoded = any(@encoded);
my $any_spread = any(@spread);
my $any_head = any(map { quotemeta } keys %forms_by_head);

# beginnings(TEXT, USE): calls USE with where each beginning of a secret starts and ends in the text, seams included. USE may
# change the text, and then returns where to go on.
sub beginnings {
    my ($text, $use) = @_;
    while ($$text =~ /$any_head/g) {
        my ($start, $furthest) = ($-[0], $+[0]);
        for my $form (@{ $forms_by_head{ substr $$text, $start, $shown } }) {
            my ($at, $end) = ($shown, $start + $shown);
            while ($at < length $form) {
                if (substr($$text, $end, 1) eq substr($form, $at, 1)) { $at++; $end++ }
                else {
                    pos($$text) = $end;
                    last unless $$text =~ /\G"\n[ \t]*"/g;
                    $end = pos $$text;
                }
            }
            $furthest = $end if $end > $furthest;
        }
        pos($$text) = $start + 1;
        my $next = $use->($start, $furthest);
        pos($$text) = $next if defined $next;
    }
}

sub mask {
    my ($text) = @_;
    $$text =~ s/$any_whole/$masked/g;
    $$text =~ s/$any_short/$masked/g if @short;
    $$text =~ s/$any_encoded/$masked/g if index($$text, '%') >= 0;
    $$text =~ s/$any_spread/$masked/g if $$text =~ /["\d],?\n/;
    mask_cut($text) if index($$text, '...') >= 0;
}

# A log with a limit to its lines ends them by dots, and may cut a secret short.
sub mask_cut {
    my ($text) = @_;
    beginnings($text, sub {
        my ($start, $end) = @_;
        return unless substr($$text, $end, 4) =~ /\A"?\.\.\./;
        substr($$text, $start, $end - $start) = $masked;
        return $start + length $masked;
    });
}

sub write_all {
    my ($to, $text) = @_;
    for (my $done = 0; $done < length $text;) {
        my $count = syswrite $to, $text, length($text) - $done, $done;
        if (defined $count) {
            $done += $count;
        } elsif ($!{EAGAIN}) {
            vec(my $wanted = '', fileno $to, 1) = 1;
            select undef, $wanted, undef, undef;
        } elsif (!$!{EINTR}) {
            return;    # nobody reads it any more: that is no reason to stop the node
        }
    }
}

# complete(TEXT): how much of it can be written now: whole lines, without those that the next one may continue.
sub complete {
    my ($text) = @_;
    my $cut = 1 + rindex $$text, "\n";
    while ($cut > 0) {
        pos($$text) = $cut;
        last unless $$text =~ /\G[ \t]*(?:["\d]|\z)/gc;
        my $start = $cut < 2 ? 0 : 1 + rindex $$text, "\n", $cut - 2;
        last unless substr($$text, $start, $cut - $start) =~ /(?:"|\d,)\n\z/;
        $cut = $start;
    }
    return $cut;
}

# started(TEXT): where the beginning of a secret stands at its end, or its length.
sub started {
    my ($text) = @_;
    my $from = length($$text) > $tail ? length($$text) - $tail : 0;
    my $last = substr $$text, $from;
    my $found;
    beginnings(\$last, sub {
        my ($start, $end) = @_;
        $found //= $start if substr($last, $end) =~ /\A(?:"\n?[ \t]*)?\z/;
        return;
    });
    return $from + ($found // length $last);
}

sub pass_on {
    my ($stream, $count) = @_;
    return if $count == 0;
    my $text = substr $stream->{text}, 0, $count, '';
    mask(\$text);
    write_all($stream->{to}, $text);
}

my @streams = map { my ($pipe, $to) = @$_; open my $from, '<', $pipe or die "$pipe: $!\n"; { from => $from, to => $to, text => '' } }
    [$ARGV[0], \*STDOUT], [$ARGV[1], \*STDERR];

while (@streams) {
    my $wanted = '';
    vec($wanted, fileno $_->{from}, 1) = 1 for @streams;
    my $waiting = grep { length $_->{text} } @streams;
    my $ready = select my $readable = $wanted, undef, undef, $waiting ? $patience : undef;
    if ($ready == 0) {
        # All of it, but for what is the beginning of a secret.
        pass_on($_, started(\$_->{text})) for @streams;
        next;
    }
    next if $ready < 0;
    for my $stream (@streams) {
        next unless vec $readable, fileno $stream->{from}, 1;
        my $count = sysread $stream->{from}, $stream->{text}, 65536, length $stream->{text};
        next if !defined $count && $!{EINTR};
        my $at = index $stream->{text}, $end;
        if ($at >= 0 || !$count) {
            substr($stream->{text}, $at) = '' if $at >= 0;
            my $started = started(\$stream->{text});
            substr($stream->{text}, $started) = $masked if $started < length $stream->{text};
            pass_on($stream, length $stream->{text});
            $stream->{over} = 1;
            next;
        }
        pass_on($stream, complete(\$stream->{text}));
        if (length $stream->{text} > $longest) {
            # What is complete is replaced before the cut, so that the cut goes through no secret.
            mask(\$stream->{text});
            pass_on($stream, length($stream->{text}) - $tail) if length $stream->{text} > $tail;
        }
    }
    @streams = grep { !$_->{over} } @streams;
}
