-- Renews the leases of this consumer's entries. ARGV: group, consumer, ids... -> ids that are no longer ours
-- Never an unconditional XCLAIM: that would steal an entry back from its new owner.
local lost = {}
for i = 3, #ARGV do
  if owned(ARGV[i], ARGV[2]) then renew(ARGV[i], ARGV[2]) else lost[#lost + 1] = ARGV[i] end
end
return lost
