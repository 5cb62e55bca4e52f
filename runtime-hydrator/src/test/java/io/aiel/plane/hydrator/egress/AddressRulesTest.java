package io.aiel.plane.hydrator.egress;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which addresses a resolved name may have. The first and last of each range, and their neighbours outside. */
class AddressRulesTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.0.0.0",
                "0.255.255.255",
                "10.0.0.0",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "100.100.100.200",
                "127.0.0.1",
                "127.255.255.255",
                "168.63.129.16",
                "169.254.0.0",
                "169.254.169.254",
                "169.254.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.0.0.0",
                "192.0.0.192",
                "192.0.2.1",
                "192.88.99.1",
                "192.168.0.0",
                "192.168.255.255",
                "198.18.0.0",
                "198.19.255.255",
                "198.51.100.7",
                "203.0.113.7",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255"
            })
    void refusesReservedRangesOfVersion4(String address) {
        assertThat(AddressRules.refusal(InetAddress.ofLiteral(address).getAddress()))
                .isPresent();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1.0.0.1",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "168.63.129.15",
                "168.63.129.17",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.0.3.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255"
            })
    void letsTheirNeighboursThrough(String address) {
        assertThat(AddressRules.refusal(InetAddress.ofLiteral(address).getAddress()))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "::",
                "::1",
                "::7f00:1",
                "64:ff9b::7f00:1",
                "64:ff9b:1::a00:1",
                "100::1",
                "2001::1",
                "2001:0:4136:e378::1",
                "2001:20::1",
                "2001:db8::1",
                "2002:7f00:1::",
                "2002:a9fe:a9fe::",
                "3fff::1",
                "4000::1",
                "5f00::1",
                "fc00::1",
                "fd00:ec2::254",
                "fe80::1",
                "fec0::1",
                "ff02::1"
            })
    void refusesWhatIsNotGlobalUnicastOfVersion6(String address) {
        assertThat(AddressRules.refusal(InetAddress.ofLiteral(address).getAddress()))
                .isPresent();
    }

    @ParameterizedTest
    @ValueSource(strings = {"2600::1", "2a00:1450:4001::1", "2001:200::1", "2001:4860:4860::8888", "2003::1"})
    void letsGlobalUnicastThrough(String address) {
        assertThat(AddressRules.refusal(InetAddress.ofLiteral(address).getAddress()))
                .isEmpty();
    }

    /** Java makes version 4 out of these by itself; whoever hands over the 16 bytes gets the same answer. */
    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"})
    void refusesVersion4WithinVersion6(String address) {
        byte[] mapped = new byte[16];
        mapped[10] = mapped[11] = (byte) 0xFF;
        System.arraycopy(InetAddress.ofLiteral(address).getAddress(), 0, mapped, 12, 4);

        assertThat(AddressRules.refusal(mapped)).isPresent();
    }
}
